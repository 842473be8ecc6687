# Compares every total with a sum over the source table, while changes go on, as often as `audit` says.

locals {
  max_totals = { for name, grouping in module.configuration.group_by : name => grouping.max_totals if grouping.max_totals != null }
}

module "audit_function" {
  count  = var.audit == null ? 0 : 1
  source = "../function"

  name        = local.names.audit
  description = var.on_expiry == "keep" ? "LEDA: counts the totals of each grouping" : "LEDA: compares the totals with a sum over ${var.table.name}"
  service     = "AuditLambda"
  package     = "audit"

  memory_mb       = var.audit.memory_mb
  timeout_seconds = var.audit.timeout_seconds

  environment = merge({
    SOURCE_TABLE      = local.source_table
    AGGREGATE_TABLE   = module.aggregate_table.name
    TOTALS_KEY        = var.totals_key
    REGISTRY_TABLE    = module.registry_table.name
    CONFIGURATION     = jsonencode(module.configuration.configuration)
    BACKFILL          = var.backfill
    FRESHNESS_SECONDS = ceil(var.freshness_seconds)
  }, length(local.max_totals) == 0 ? {} : { MAX_TOTALS = jsonencode(local.max_totals) })

  policy_statements = concat(local.source_key_statements, [
    {
      sid       = "ReadTables"
      actions   = ["dynamodb:Scan"]
      resources = [var.table.arn, module.aggregate_table.arn]
    },
    {
      # The names of its key's attributes, by which rows that cannot be read are named.
      sid       = "DescribeTable"
      actions   = ["dynamodb:DescribeTable"]
      resources = [var.table.arn]
    },
    {
      # The live configuration says what the totals are sums of.
      sid       = "Registry"
      actions   = ["dynamodb:GetItem"]
      resources = [module.registry_table.arn]
    },
  ])

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

# An audit that failed is not repeated: it says so (the alarm below), and the next one comes by itself.
resource "aws_lambda_function_event_invoke_config" "audit" {
  count = var.audit == null ? 0 : 1

  function_name          = module.audit_function[0].name
  maximum_retry_attempts = 0
}

resource "aws_cloudwatch_event_rule" "audit" {
  count = var.audit == null ? 0 : 1

  name                = "${local.names.audit}Schedule"
  description         = "Starts ${module.audit_function[0].name}"
  schedule_expression = var.audit.schedule_expression
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "audit" {
  count = var.audit == null ? 0 : 1

  rule = aws_cloudwatch_event_rule.audit[0].name
  arn  = module.audit_function[0].arn
}

resource "aws_lambda_permission" "audit" {
  count = var.audit == null ? 0 : 1

  statement_id  = "Schedule"
  action        = "lambda:InvokeFunction"
  function_name = module.audit_function[0].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.audit[0].arn
}

resource "aws_cloudwatch_metric_alarm" "drift" {
  # Nobody knows the drift of totals that keep what has expired.
  count = var.audit == null || var.on_expiry == "keep" ? 0 : 1

  alarm_name        = "${local.names.audit}-drift"
  alarm_description = "Totals differ from the sum over ${var.table.name}: read /aws/lambda/${local.names.audit} and run `leda verify${local.command_target}`; `leda rebuild${local.command_target}` computes them again."

  namespace   = "LEDA"
  metric_name = "Drift"
  dimensions  = { service = "AuditLambda", function_name = local.names.audit }
  statistic   = "Maximum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  # Between two audits there is no data, and a wrong total stays wrong: only an audit without drift ends the alarm.
  treat_missing_data = "ignore"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}

resource "aws_cloudwatch_metric_alarm" "too_many_totals" {
  count = var.audit == null || length(local.max_totals) == 0 ? 0 : 1

  alarm_name        = "${local.names.audit}-too-many-totals"
  alarm_description = "A grouping has more totals than its max_totals, and nothing is refused for it: read /aws/lambda/${local.names.audit} for its name. A key with ever new values (a time, an ID) makes a row of ${local.names.totals} for each: group by something coarser, or raise max_totals."

  namespace   = "LEDA"
  metric_name = "GroupingsOverLimit"
  dimensions  = { service = "AuditLambda", function_name = local.names.audit }
  statistic   = "Maximum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  # Between two audits there is no data: only an audit that finds fewer ends the alarm.
  treat_missing_data = "ignore"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}

# The function's own alarm waits for three failures in five minutes, which a schedule may never make.
resource "aws_cloudwatch_metric_alarm" "audit_failed" {
  count = var.audit == null ? 0 : 1

  alarm_name        = "${local.names.audit}-failed"
  alarm_description = "An audit did not come to its end, so nobody knows whether the totals are right: read /aws/lambda/${local.names.audit}. A large table needs more of audit.timeout_seconds or audit.memory_mb."

  namespace   = "AWS/Lambda"
  metric_name = "Errors"
  dimensions  = { FunctionName = local.names.audit }
  statistic   = "Sum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "ignore"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}
