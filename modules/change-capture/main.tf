data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  names = {
    table   = "${var.name_prefix}Users"
    capture = "${var.name_prefix}dynamodb-stream-capture"
    replica = "${var.name_prefix}dynamodb-stream-capture-replica"
    topic   = "${var.name_prefix}dynamodb-stream-capture"
  }

  # Bucket names are shared by all of AWS, and lower case.
  quarantine_name = coalesce(
    var.quarantine_bucket_name,
    lower("${var.name_prefix}leda-changes-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"),
  )

  table = var.table == null ? {
    name          = one(module.users_table[*].name)
    arn           = one(module.users_table[*].arn)
    stream_arn    = one(module.users_table[*].stream_arn)
    partition_key = "user_id"
    } : {
    name          = one(data.aws_dynamodb_table.given[*].name)
    arn           = one(data.aws_dynamodb_table.given[*].arn)
    stream_arn    = var.table.stream_arn
    partition_key = one(data.aws_dynamodb_table.given[*].hash_key)
  }
}

# The sort key is a number, seconds since 1970: numbers order as time does, whatever the number of their digits, and
# DynamoDB's own times (time to live) are such numbers. Texts would do so only in one format and one time zone.
module "users_table" {
  source = "../table"
  count  = var.table == null ? 1 : 0

  name                = local.names.table
  hash_key            = { name = "user_id", type = "S" }
  range_key           = { name = "timestamp", type = "N" }
  stream_view_type    = "NEW_AND_OLD_IMAGES"
  ttl_attribute       = var.ttl_attribute
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
  tags                = var.tags
}

data "aws_dynamodb_table" "given" {
  count = var.table == null ? 0 : 1

  name = regex(":table/([^/]+)/", var.table.stream_arn)[0]

  lifecycle {
    postcondition {
      condition     = self.stream_view_type == "NEW_AND_OLD_IMAGES"
      error_message = "The stream of ${self.name} carries ${self.stream_view_type}; what an attribute was and what it is are known only with stream_view_type = \"NEW_AND_OLD_IMAGES\"."
    }
  }
}

module "quarantine_bucket" {
  source = "../quarantine-bucket"

  name           = local.quarantine_name
  retention_days = var.quarantine_retention_days
  force_destroy  = !var.deletion_protection
  kms_key_arn    = var.kms_key_arn
  tags           = var.tags
}

module "capture_function" {
  source = "../stream-function"

  name        = local.names.capture
  description = "LEDA: logs every change of ${local.table.name}"
  service     = "ChangeCapture"
  package     = "change_capture"

  event_source = { kind = "dynamodb", arn = local.table.stream_arn }
  exactly_once = false # A change that is delivered again is logged again, under the same event ID.
  function     = var.capture_function

  environment = merge(
    {
      REDACTED_ATTRIBUTES = jsonencode(var.redacted_attributes)
    },
    var.metrics == null ? {} : { COUNT_CHANGES = "1" },
    var.notify == null ? {} : {
      TOPIC_ARN       = local.topic_arn
      NOTIFY_PATTERNS = "[${join(",", var.notify.filter_patterns)}]"
    },
  )

  policy_statements = local.notify_statements

  quarantine_bucket = module.quarantine_bucket
  freshness_seconds = var.freshness_seconds

  # The lines of the changes are INFO: with a higher level there would be none.
  settings      = merge(var.settings, { log_level = "INFO" })
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

# "What happened to this user?" A change that was delivered again has several lines with one event ID: dedup keeps one.
# Insights orders digits behind another character by their length, then by their value, which is the changes' order; of
# plain numbers it does not say how many digits count.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Sort.html
resource "aws_cloudwatch_query_definition" "changes" {
  count = var.saved_query ? 1 : 0

  name            = "${local.names.capture}/what happened to one ${local.table.partition_key}"
  log_group_names = [module.capture_function.log_group_name]
  query_string    = local.query
}

locals {
  query = <<-EOT
    fields changed_at, event, concat("#", sequence_number) as position, event_id, @message
    | filter message = "change" and `keys.${local.table.partition_key}` = "PUT THE ${upper(local.table.partition_key)} HERE"
    | sort position asc
    | dedup event_id
    | limit 1000
  EOT
}
