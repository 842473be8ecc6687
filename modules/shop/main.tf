data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  names = {
    table         = "${var.name_prefix}UnifiedTable"
    create_order  = "${var.name_prefix}fnCreateOrder"
    storefront    = "${var.name_prefix}fnStorefront"
    operations    = "${var.name_prefix}fnOperations"
    counts        = "${var.name_prefix}fnUpdateInventory"
    totals        = "${var.name_prefix}fnUpdateTotals"
    health        = "${var.name_prefix}fnCheckTotals"
    audit         = "${var.name_prefix}fnAuditTotals"
    vendor_orders = "${var.name_prefix}fnCreateVendorOrder"
    firehose      = "${var.name_prefix}fnWriteFirehose"
    read_stream   = "${var.name_prefix}fnReadStream"
    expire_orders = "${var.name_prefix}fnExpireOrders"
    shop          = "${var.name_prefix}shop"
  }

  # The names of buckets and of sign-in pages are shared by many accounts, and lower case.
  place           = "${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"
  site_name       = coalesce(var.site_bucket_name, lower("${var.name_prefix}shop-site-${local.place}"))
  lake_name       = coalesce(var.lake_bucket_name, lower("${var.name_prefix}shop-lake-${local.place}"))
  quarantine_name = coalesce(var.quarantine_bucket_name, lower("${var.name_prefix}leda-shop-${local.place}"))
  domain_prefix   = coalesce(var.sign_in_domain_prefix, lower("${var.name_prefix}shop-${data.aws_caller_identity.current.account_id}"))
}

# Customers' orders, vendors' orders and parts. Both indexes are sparse: parts only have an inventoryKey, and
# of an order only its header has an ordersKey.
module "table" {
  source = "../table"

  name             = local.names.table
  hash_key         = { name = "pk", type = "S" }
  range_key        = { name = "sk", type = "S" }
  stream_view_type = "NEW_AND_OLD_IMAGES"

  indexes = [
    { name = "inventory", hash_key = { name = "inventoryKey", type = "S" }, range_key = { name = "pk", type = "S" } },
    { name = "orders", hash_key = { name = "ordersKey", type = "S" }, range_key = { name = "ordersSort", type = "S" } },
  ]

  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
  tags                = var.tags
}

module "quarantine_bucket" {
  source = "../quarantine-bucket"

  name           = local.quarantine_name
  retention_days = var.quarantine_retention_days
  force_destroy  = !var.deletion_protection
  kms_key_arn    = var.kms_key_arn
  tags           = var.tags
}

# The functions count what they quarantine (CloudWatch's embedded metric format, in their logs).
resource "aws_cloudwatch_metric_alarm" "quarantined" {
  for_each = {
    CreateVendorOrder = module.create_vendor_order.name
    WriteFirehose     = module.write_firehose.name
  }

  alarm_name        = "${each.value}-quarantined"
  alarm_description = "${each.value} put changes of ${local.names.table} into quarantine: the vendor orders or the lake lack them. Read them under s3://${module.quarantine_bucket.name}/${each.value}/."

  namespace   = "LEDA"
  metric_name = "Quarantined"
  dimensions  = { service = each.key, function_name = each.value }
  statistic   = "Sum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
  tags          = var.tags
}
