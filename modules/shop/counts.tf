# What is ordered and sold of each product, and the shop's orders and revenue. An order that has expired counts for nothing: nobody paid
# it, and its quantities are in stock again. A total's name is that of its grouping and of its key: `ordered:<product>`, `orders:order`.

locals {
  unexpired = ["Created", "Paid", "Shipped"]
}

module "counts" {
  source = "../aggregation"

  names = {
    map            = local.names.counts
    reduce         = local.names.totals
    health         = local.names.health
    audit          = local.names.audit
    reduce_table   = "${local.names.table}Deltas"
    totals_table   = "${local.names.table}Totals"
    registry_table = "${local.names.table}Registry"
  }

  table = {
    name        = module.table.name
    arn         = module.table.arn
    stream_arn  = module.table.stream_arn
    kms_key_arn = var.kms_key_arn
  }

  group_by = {
    ordered = { keys = ["productId"], where = { itemType = ["orderLine"], status = local.unexpired } }
    sold    = { keys = ["productId"], where = { itemType = ["orderLine"], status = ["Shipped"] } }
    orders  = { keys = ["itemType"], where = { itemType = ["order"], status = local.unexpired } }
    shipped = { keys = ["itemType"], where = { itemType = ["order"], status = ["Shipped"] } }
  }

  # A line has a quantity and no amount, an order an amount and no quantity.
  measures = {
    Count        = { op = "count" }
    Pieces       = { op = "sum", field = "qty", missing = "0" }
    RevenueCents = { op = "sum", field = "totalCents", missing = "0" }
  }

  backfill     = "none" # The table is made with its totals.
  single_shard = var.single_shard

  map_function      = { batch_size = var.batch_size }
  quarantine_bucket = module.quarantine_bucket
  dashboard         = false

  freshness_seconds   = var.freshness_seconds
  deletion_protection = var.deletion_protection

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}
