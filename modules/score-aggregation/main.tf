data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  names = {
    records     = "${var.name_prefix}GameScoreRecords"
    scores      = "${var.name_prefix}GameScoresByUser"
    checkpoints = "${var.name_prefix}GameScoreCheckpoints"
    aggregate   = "${var.name_prefix}AggregateScoresByUser"
  }

  leaderboard = "ByScore"

  # Bucket names are shared by all of AWS, and lower case.
  quarantine_name = coalesce(
    var.quarantine_bucket_name,
    lower("${var.name_prefix}leda-bad-scores-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"),
  )
}

# What players and games write. The stream carries both images: the function adds the new one and takes the old one out.
module "records_table" {
  source = "../table"

  name                = local.names.records
  hash_key            = { name = "RecordID", type = "S" }
  stream_view_type    = "NEW_AND_OLD_IMAGES"
  ttl_attribute       = var.ttl_attribute
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

# One row a user: the total, and the board that the index orders by Score. There is one board, so that one query reads it.
module "scores_table" {
  source = "../table"

  name     = local.names.scores
  hash_key = { name = "Username", type = "S" }

  indexes = [{
    name      = local.leaderboard
    hash_key  = { name = "Board", type = "S" }
    range_key = { name = "Score", type = "N" }
  }]

  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

# How far the function has come in each shard. Losing it means counting what the stream still holds again.
module "checkpoint_table" {
  source = "../table"

  name                = local.names.checkpoints
  hash_key            = { name = "Source", type = "S" }
  range_key           = { name = "Lane", type = "S" }
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

module "quarantine_bucket" {
  source = "../quarantine-bucket"

  name           = local.quarantine_name
  retention_days = var.quarantine_retention_days
  force_destroy  = !var.deletion_protection
  kms_key_arn    = var.kms_key_arn
}

module "aggregate_function" {
  source = "../stream-function"

  name        = local.names.aggregate
  description = "LEDA: adds score records to their users' totals"
  package     = "aggregate_scores"

  event_source = { kind = "dynamodb", arn = module.records_table.stream_arn }
  exactly_once = true

  mapping = {
    enabled                    = var.aggregate_function.enabled
    batch_size                 = var.aggregate_function.batch_size
    batching_window_seconds    = var.aggregate_function.batching_window_seconds
    parallelization_factor     = var.aggregate_function.parallelization_factor
    maximum_retry_attempts     = var.aggregate_function.maximum_retry_attempts
    maximum_record_age_seconds = var.aggregate_function.maximum_record_age_seconds
    bisect                     = var.aggregate_function.bisect
    tumbling_window_seconds    = var.aggregate_function.tumbling_window_seconds
  }

  environment = {
    POWERTOOLS_SERVICE_NAME          = "AggregateScoresByUser"
    POWERTOOLS_METRICS_NAMESPACE     = "LEDA"
    POWERTOOLS_METRICS_FUNCTION_NAME = local.names.aggregate
    POWERTOOLS_LOG_LEVEL             = var.log_level
    SCORES_TABLE                     = module.scores_table.name
    CHECKPOINT_TABLE                 = module.checkpoint_table.name
    QUARANTINE_BUCKET                = module.quarantine_bucket.name
  }

  policy_statements = [
    {
      # One transaction reads, checks and moves the checkpoints.
      sid       = "Checkpoints"
      actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
      resources = [module.checkpoint_table.arn]
    },
    {
      sid       = "AddToScores"
      actions   = ["dynamodb:UpdateItem"]
      resources = [module.scores_table.arn]
    },
    {
      sid       = "Quarantine"
      actions   = ["s3:PutObject"]
      resources = ["${module.quarantine_bucket.arn}/${local.names.aggregate}/*"]
    },
  ]

  memory_mb            = var.aggregate_function.memory_mb
  timeout_seconds      = var.aggregate_function.timeout_seconds
  reserved_concurrency = var.aggregate_function.reserved_concurrency

  packages           = var.packages
  runtime            = var.runtime
  architecture       = var.architecture
  failure_bucket_arn = module.quarantine_bucket.arn
  freshness_seconds  = var.freshness_seconds
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  alarm_actions      = var.alarm_actions
}

# The function counts what it quarantines (CloudWatch's embedded metric format, in its logs).
resource "aws_cloudwatch_metric_alarm" "quarantined" {
  alarm_name        = "${local.names.aggregate}-quarantined"
  alarm_description = "${local.names.aggregate} put score records into quarantine: they are not in the totals. Read them under s3://${module.quarantine_bucket.name}/${local.names.aggregate}/."

  namespace   = "LEDA"
  metric_name = "Quarantined"
  dimensions  = { service = "AggregateScoresByUser", function_name = module.aggregate_function.name }
  statistic   = "Sum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
}
