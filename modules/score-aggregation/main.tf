data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  # Bucket names are shared by all of AWS, and lower case.
  quarantine_name = coalesce(
    var.quarantine_bucket_name,
    lower("${var.name_prefix}leda-bad-scores-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"),
  )
}

# What players and games write. The stream carries both images: the function adds the new one and takes the old one out.
module "records_table" {
  source = "../table"

  name                = "${var.name_prefix}GameScoreRecords"
  hash_key            = { name = "RecordID", type = "S" }
  stream_view_type    = "NEW_AND_OLD_IMAGES"
  ttl_attribute       = var.ttl_attribute
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
  capacity            = try(var.capacity.records, null)
  tags                = var.tags
}

# SELECT Username, SUM(Score), COUNT(*) FROM GameScoreRecords GROUP BY Username, in the names and the shape of the text.
module "aggregation" {
  source = "../aggregation"

  names = {
    map            = "${var.name_prefix}AggregateScoresByUser"
    reduce         = "${var.name_prefix}ReduceScoresByUser"
    health         = "${var.name_prefix}GameScoresHealth"
    reduce_table   = "${var.name_prefix}GameScoreDeltas"
    totals_table   = "${var.name_prefix}GameScoresByUser"
    registry_table = "${var.name_prefix}GameScoreRegistry"
  }

  table = {
    name        = module.records_table.name
    arn         = module.records_table.arn
    stream_arn  = module.records_table.stream_arn
    kms_key_arn = var.kms_key_arn
  }

  group_by    = { users = { keys = ["Username"] } }
  identifiers = "plain"
  totals_key  = "Username"
  measures = {
    Score   = { op = "sum", field = "Score" }
    Records = { op = "count" }
  }

  # The leaderboard: all totals have one Parent, so one query reads it.
  indexes = { top = ["Score"] }

  on_expiry = "keep"
  audit     = null   # There is nothing to compare with.
  backfill  = "none" # The table is made with its totals.

  map_function           = var.aggregate_function
  capacity               = { for table, capacity in var.capacity : table => capacity if table != "records" }
  freshness_seconds      = var.freshness_seconds
  dashboard              = false
  quarantine_bucket_name = local.quarantine_name

  quarantine_retention_days = var.quarantine_retention_days
  deletion_protection       = var.deletion_protection

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}
