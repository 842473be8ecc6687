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

module "function" {
  source = "../stream-function"

  name        = local.names.function
  description = "LEDA: logs and processes each record of ${local.names.stream}"
  service     = "ProcessKinesisRecords"
  package     = var.package

  event_source = { kind = "kinesis", arn = module.stream.arn, retention_hours = var.stream_retention_hours }
  exactly_once = false # `process` may see a record twice, and must not mind.
  function     = var.function

  environment       = var.environment
  policy_statements = var.policy_statements

  quarantine_bucket = module.quarantine_bucket
  freshness_seconds = var.freshness_seconds

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}
