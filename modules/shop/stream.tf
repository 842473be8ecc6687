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

  name               = local.names.read_stream
  global_name_suffix = var.global_name_suffix
  description        = "LEDA: hands the table's changes to ${local.names.vendor_orders} and ${local.names.firehose}"
  package            = "read_stream"

  event_source = { kind = "dynamodb", arn = module.table.stream_arn }
  exactly_once = true # What it calls wants every record, and none left out.

  mapping = {
    batch_size      = var.batch_size
    filter_patterns = local.filters
  }

  environment = {
    POWERTOOLS_SERVICE_NAME          = "ReadStream"
    POWERTOOLS_METRICS_NAMESPACE     = "LEDA"
    POWERTOOLS_METRICS_FUNCTION_NAME = local.names.read_stream
    POWERTOOLS_LOG_LEVEL             = var.log_level
    CREATE_VENDOR_ORDER_FUNCTION     = module.create_vendor_order.arn
    WRITE_FIREHOSE_FUNCTION          = module.write_firehose.arn
  }

  policy_statements = [{
    sid       = "Tell"
    actions   = ["lambda:InvokeFunction"]
    resources = [module.create_vendor_order.arn, module.write_firehose.arn]
  }]

  # More than the two that it waits for may take together.
  timeout_seconds = 90

  packages           = var.packages
  runtime            = var.runtime
  architecture       = var.architecture
  failure_bucket_arn = module.quarantine_bucket.arn
  freshness_seconds  = var.freshness_seconds
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  alarm_actions      = var.alarm_actions
}

module "create_vendor_order" {
  source = "../function"

  name               = local.names.vendor_orders
  global_name_suffix = var.global_name_suffix
  description        = "LEDA: orders from the vendor what runs low"
  package            = "create_vendor_order"

  environment = {
    POWERTOOLS_SERVICE_NAME          = "CreateVendorOrder"
    POWERTOOLS_METRICS_NAMESPACE     = "LEDA"
    POWERTOOLS_METRICS_FUNCTION_NAME = local.names.vendor_orders
    POWERTOOLS_LOG_LEVEL             = var.log_level
    SHOP_TABLE                       = module.table.name
    QUARANTINE_BUCKET                = module.quarantine_bucket.name
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

  packages           = var.packages
  runtime            = var.runtime
  architecture       = var.architecture
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  alarm_actions      = var.alarm_actions
}

module "write_firehose" {
  source = "../function"

  name               = local.names.firehose
  global_name_suffix = var.global_name_suffix
  description        = "LEDA: sends the table's changes to the lake"
  package            = "write_firehose"

  environment = {
    POWERTOOLS_SERVICE_NAME          = "WriteFirehose"
    POWERTOOLS_METRICS_NAMESPACE     = "LEDA"
    POWERTOOLS_METRICS_FUNCTION_NAME = local.names.firehose
    POWERTOOLS_LOG_LEVEL             = var.log_level
    DELIVERY_STREAM                  = module.lake.stream.name
    QUARANTINE_BUCKET                = module.quarantine_bucket.name
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

  packages           = var.packages
  runtime            = var.runtime
  architecture       = var.architecture
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  alarm_actions      = var.alarm_actions
}
