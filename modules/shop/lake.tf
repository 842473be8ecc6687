# The lake: one row a change, for questions that the table's keys do not answer.

locals {
  strings = [
    "sequence_number", "event_id", "event", "changed_at", "item_type", "pk", "sk",
    "order_ref", "vendor_order_id", "product_id", "name", "status", "old_status", "shipping_option",
    "created_at", "shipped_at", "received_at",
  ]
  numbers = ["qty", "old_qty", "price_cents", "total_cents", "lines"]

  queries = {
    "revenue by day and product"  = { description = "What was ordered on each of the last 90 days, in units and cents", file = "revenue_by_day_and_product.sql" }
    "best sellers"                = { description = "The ten products of which most units were ordered in the last 30 days", file = "best_sellers.sql" }
    "time from order to shipment" = { description = "How long the orders of each day of the last 90 waited to be shipped, in seconds", file = "time_to_shipment.sql" }
    "restocks"                    = { description = "What the vendors delivered of each product in the last 90 days, and how long it took, in seconds", file = "restocks.sql" }
  }
}

module "lake" {
  source = "../change-lake"

  name        = local.names.shop
  bucket_name = local.lake_name

  columns = concat(
    [for name in local.strings : { name = name, type = "string" }],
    [for name in local.numbers : { name = name, type = "bigint" }],
  )

  queries = { for name, query in local.queries : name => {
    description = query.description
    sql         = file("${path.module}/queries/${query.file}")
  } }

  buffering_seconds = var.lake.buffering_seconds
  scan_limit_mb     = var.lake.scan_limit_mb
  retention_days    = var.lake.retention_days
  first_day         = var.lake.first_day

  deletion_protection = var.deletion_protection

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}
