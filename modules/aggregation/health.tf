# Checks every five minutes what the streams' own metrics do not show: a rebuild that was left open, a mapping that is off, and a stream
# that began without the totals knowing.

locals {
  mapped = concat(values(var.writers), [for function in [module.map_function, module.reduce_function] : {
    name            = function.name
    mapping_uuid    = function.mapping_uuid
    mapping_arn     = function.mapping_arn
    retention_hours = function.retention_hours
  }])
}

module "health_function" {
  source = "../function"

  name        = local.names.health
  description = "LEDA: watches rebuilds, mappings and streams"
  service     = "HealthLambda"
  package     = "health"

  memory_mb       = 256
  timeout_seconds = 60

  environment = {
    REGISTRY_TABLE = module.registry_table.name
    MAPPINGS       = jsonencode({ for function in local.mapped : function.name => function.mapping_uuid })
    # Half of what each stream keeps.
    STOOD_STILL_SECONDS = jsonencode({ for function in local.mapped : function.name => function.retention_hours * 1800 })
    TABLES              = jsonencode({ map = local.source_table, reduce = module.reduce_table.name })
  }

  policy_statements = [
    {
      sid       = "Registry"
      actions   = ["dynamodb:GetItem", "dynamodb:Query"]
      resources = [module.registry_table.arn]
    },
    {
      sid       = "Mappings"
      actions   = ["lambda:GetEventSourceMapping"]
      resources = local.mapped[*].mapping_arn
    },
    {
      sid       = "Tables"
      actions   = ["dynamodb:DescribeTable"]
      resources = [var.table.arn, module.reduce_table.arn]
    },
  ]

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

# A check that failed is not repeated: the next one comes by itself, and several failures in a row raise an alarm (below).
resource "aws_lambda_function_event_invoke_config" "health" {
  function_name          = module.health_function.name
  maximum_retry_attempts = 0
}

resource "aws_cloudwatch_event_rule" "health" {
  name                = "${local.names.health}Schedule"
  description         = "Starts ${module.health_function.name}"
  schedule_expression = "rate(5 minutes)"
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "health" {
  rule = aws_cloudwatch_event_rule.health.name
  arn  = module.health_function.arn
}

resource "aws_lambda_permission" "health" {
  statement_id  = "Schedule"
  action        = "lambda:InvokeFunction"
  function_name = module.health_function.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.health.arn
}

locals {
  # No rebuild can compute totals that keep expired rows, but a first backfill of theirs may have been stopped.
  keeps_expired = var.on_expiry == "keep"
  compute_again = "`leda ${local.keeps_expired ? "backfill" : "rebuild"}${local.command_target}`"
  # `checks`: how many checks in a row must find something before the alarm goes off. A rebuild of up to a quarter of an hour raises none.
  health_alarms = {
    rebuild-open = {
      metric      = "RebuildOpen"
      checks      = 3
      description = "A rebuild has not ended: it still runs, or it was stopped half-way and totals may lack changes. If none runs, run ${local.compute_again}: it does all of it again."
    }
    mappings-off = {
      metric      = "MappingsOff"
      checks      = 3
      description = "A function's event source mapping is off, so totals stand still, and after 24 hours its stream drops changes. If the alarm ${local.names.health}-rebuild-open is on too, run ${local.compute_again}; else switch the mapping on with `terraform apply`."
    }
    # HealthLambda reports only what has stood still, never that nothing has, and missing data changes nothing: a person ends the alarm.
    stood-still = {
      metric      = "StoodStill"
      checks      = 1
      description = "An event source mapping was off for more than half of what its stream keeps: changes may be lost. Switch it on${local.keeps_expired ? "; what is lost stays lost, because no rebuild can compute totals that keep expired rows" : ", and run ${local.compute_again} if `leda verify${local.command_target}` finds totals that differ"}. This alarm does not end by itself: docs/runbook.md, \"A function has stood still\", says how to end it."
    }
    streams-not-settled = {
      metric      = "StreamsNotSettled"
      checks      = 1
      description = "A table has a stream that the totals were not computed with (a stream disabled and enabled again, a table restored), so totals may lack changes or count them twice. ${local.keeps_expired ? "No rebuild can compute totals that keep expired rows: `leda redrive${local.command_target} --settle` says what they may lack, and goes on with them as they are." : "Run ${local.compute_again}."}"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "health" {
  for_each = local.health_alarms

  alarm_name        = "${local.names.health}-${each.key}"
  alarm_description = each.value.description

  namespace   = "LEDA"
  metric_name = each.value.metric
  dimensions  = { service = "HealthLambda", function_name = module.health_function.name }
  statistic   = "Maximum"
  period      = 300

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = each.value.checks
  # A check that did not take place says nothing: only one that finds nothing ends an alarm.
  treat_missing_data = "ignore"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}

# The function's own alarm waits for three failures in five minutes, which this schedule never makes.
resource "aws_cloudwatch_metric_alarm" "health_failed" {
  alarm_name        = "${local.names.health}-failed"
  alarm_description = "${local.names.health} fails, so nobody would hear of an open rebuild, a mapping that is off or a stream that is new: read /aws/lambda/${local.names.health}, and run `leda verify${local.command_target}`."

  namespace   = "AWS/Lambda"
  metric_name = "Errors"
  dimensions  = { FunctionName = module.health_function.name }
  statistic   = "Sum"
  period      = 300

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 3
  treat_missing_data  = "ignore"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}
