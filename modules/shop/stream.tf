# What follows from a change, beside the counts (counts.tf). Three functions want the table's stream, and more than two readers of a shard
# may be throttled: so one reads for two, and tells them one after the other. It has done a batch when both have.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html, "no more than two processes at most should be reading from the same stream's shard"

locals {
  # Of the items of these types, whatever happens to them. A row that is gone has an old image only.
  types = ["part", "order", "orderLine", "vendorOrder"]
  filters = [
    jsonencode({ dynamodb = { NewImage = { itemType = { S = local.types } } } }),
    jsonencode({ eventName = ["REMOVE"], dynamodb = { OldImage = { itemType = { S = local.types } } } }),
  ]
}

module "read_stream" {
  source = "../stream-function"

  name        = local.names.read_stream
  description = "LEDA: hands the table's changes to ${local.names.vendor_orders} and ${local.names.firehose}"
  service     = "ReadStream"
  package     = "read_stream"

  event_source = { kind = "dynamodb", arn = module.table.stream_arn }
  exactly_once = true # What it calls wants every record, and none left out.

  function = {
    batch_size      = var.batch_size
    filter_patterns = local.filters
    timeout_seconds = 90 # More than the two that it waits for may take together.
  }

  environment = {
    CREATE_VENDOR_ORDER_FUNCTION = module.create_vendor_order.arn
    WRITE_FIREHOSE_FUNCTION      = module.write_firehose.arn
  }

  policy_statements = [{
    sid       = "Tell"
    actions   = ["lambda:InvokeFunction"]
    resources = [module.create_vendor_order.arn, module.write_firehose.arn]
  }]

  quarantine_bucket = module.quarantine_bucket
  quarantines       = false # The functions that it calls do.
  freshness_seconds = var.freshness_seconds

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

module "create_vendor_order" {
  source = "../function"

  name        = local.names.vendor_orders
  description = "LEDA: orders from the vendor what runs low"
  service     = "CreateVendorOrder"
  package     = "create_vendor_order"

  environment = {
    SHOP_TABLE        = module.table.name
    QUARANTINE_BUCKET = module.quarantine_bucket.name
  }

  policy_statements = [
    {
      sid       = "Order"
      actions   = ["dynamodb:BatchGetItem", "dynamodb:UpdateItem"]
      resources = [module.table.arn]
    },
    {
      sid       = "Quarantine"
      actions   = ["s3:PutObject"]
      resources = ["${module.quarantine_bucket.arn}/${local.names.vendor_orders}/*"]
    },
  ]

  timeout_seconds = 30

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

module "write_firehose" {
  source = "../function"

  name        = local.names.firehose
  description = "LEDA: sends the table's changes to the lake"
  service     = "WriteFirehose"
  package     = "write_firehose"

  environment = {
    DELIVERY_STREAM   = module.lake.stream.name
    QUARANTINE_BUCKET = module.quarantine_bucket.name
  }

  policy_statements = [
    {
      sid       = "Deliver"
      actions   = ["firehose:PutRecordBatch"]
      resources = [module.lake.stream.arn]
    },
    {
      sid       = "Quarantine"
      actions   = ["s3:PutObject"]
      resources = ["${module.quarantine_bucket.arn}/${local.names.firehose}/*"]
    },
  ]

  timeout_seconds = 30

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}
