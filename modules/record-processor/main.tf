data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  names = {
    stream   = "${var.name_prefix}Records"
    function = "${var.name_prefix}ProcessKinesisRecords"
  }

  # Bucket names are shared by all of AWS, and lower case.
  quarantine_name = coalesce(
    var.quarantine_bucket_name,
    lower("${var.name_prefix}leda-records-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"),
  )
}

module "stream" {
  source = "../ingest-stream"

  name                = local.names.stream
  shard_count         = var.shard_count
  retention_hours     = var.stream_retention_hours
  producer_principals = var.producer_principals
  kms_key_arn         = var.kms_key_arn
}

module "quarantine_bucket" {
  source = "../quarantine-bucket"

  name           = local.quarantine_name
  retention_days = var.quarantine_retention_days
  force_destroy  = !var.deletion_protection
  kms_key_arn    = var.kms_key_arn
}

module "function" {
  source = "../stream-function"

  name               = local.names.function
  global_name_suffix = var.global_name_suffix
  description        = "LEDA: logs and processes each record of ${local.names.stream}"
  package            = var.package

  event_source = { kind = "kinesis", arn = module.stream.arn, retention_hours = var.stream_retention_hours }
  exactly_once = false # `process` may see a record twice, and must not mind.

  mapping = {
    enabled                    = var.function.enabled
    batch_size                 = var.function.batch_size
    batching_window_seconds    = var.function.batching_window_seconds
    parallelization_factor     = var.function.parallelization_factor
    maximum_retry_attempts     = var.function.maximum_retry_attempts
    maximum_record_age_seconds = var.function.maximum_record_age_seconds
    bisect                     = var.function.bisect # `process` may fail because of one record, which then stands alone.

    starting_position           = var.function.starting_position
    starting_position_timestamp = var.function.starting_position_timestamp
  }

  environment = merge(var.environment, {
    POWERTOOLS_SERVICE_NAME          = "ProcessKinesisRecords"
    POWERTOOLS_METRICS_NAMESPACE     = "LEDA"
    POWERTOOLS_METRICS_FUNCTION_NAME = local.names.function
    POWERTOOLS_LOG_LEVEL             = var.log_level
    QUARANTINE_BUCKET                = module.quarantine_bucket.name
  })

  policy_statements = concat(var.policy_statements, [{
    sid       = "Quarantine"
    actions   = ["s3:PutObject"]
    resources = ["${module.quarantine_bucket.arn}/${local.names.function}/*"]
  }])

  memory_mb            = var.function.memory_mb
  timeout_seconds      = var.function.timeout_seconds
  reserved_concurrency = var.function.reserved_concurrency

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
  alarm_name        = "${local.names.function}-quarantined"
  alarm_description = "${local.names.function} put records into quarantine: its process function cannot process them. Read them under s3://${module.quarantine_bucket.name}/${local.names.function}/."

  namespace   = "LEDA"
  metric_name = "Quarantined"
  dimensions  = { service = "ProcessKinesisRecords", function_name = module.function.name }
  statistic   = "Sum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
}
