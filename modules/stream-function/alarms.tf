# Errors and throttles have their alarms in the function module.

resource "aws_cloudwatch_metric_alarm" "iterator_age" {
  alarm_name        = "${var.name}-iterator-age"
  alarm_description = "${var.name} falls behind its stream: what it writes will be older than the goal of ${var.freshness_seconds} s."

  namespace   = "AWS/Lambda"
  metric_name = "IteratorAge"
  dimensions  = { FunctionName = module.function.name }
  statistic   = "Maximum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  # Milliseconds. Three functions in a row share the goal.
  threshold           = floor(var.freshness_seconds * 1000 / 3)
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}

# Half of what the stream keeps has passed. The alarm above ends by itself, also where it ends because the stream has forgotten the records; this one
# stays: the expression has a value only where the age is beyond, and an alarm that ignores missing data keeps its state. A person ends it:
# docs/runbook.md.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html#metric-math-using-IF
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
resource "aws_cloudwatch_metric_alarm" "stood_still" {
  alarm_name        = "${var.name}-stood-still"
  alarm_description = "${var.name} was behind its stream by more than half of the ${var.event_source.retention_hours} hours for which the stream keeps a record: records may be lost. This alarm does not end by itself; docs/runbook.md, \"A function has stood still\", says what to do and how to end it."

  metric_query {
    id          = "old"
    expression  = "IF(age > ${local.half_retention_ms}, age)"
    label       = "Age beyond half of the retention (ms)"
    return_data = true
  }

  metric_query {
    id = "age"

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "IteratorAge"
      dimensions  = { FunctionName = module.function.name }
      stat        = "Maximum"
      period      = 60
    }
  }

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "ignore"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}

# Records that the mapping gave up. Each is one too many, so a single one is enough.
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
resource "aws_cloudwatch_metric_alarm" "discarded" {
  for_each = {
    dropped     = "DroppedEventCount"
    destination = "OnFailureDestinationDeliveredEventCount"
  }

  alarm_name        = "${var.name}-discarded-${each.key}"
  alarm_description = "The mapping of ${var.name} gave records up. What it writes lacks them; those that reached the failure destination are under s3://${var.quarantine_bucket.name}/aws/lambda/."

  namespace   = "AWS/Lambda"
  metric_name = each.value
  dimensions  = { EventSourceMappingUUID = aws_lambda_event_source_mapping.this.uuid }
  statistic   = "Sum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}

# The function counts what it quarantines (CloudWatch's embedded metric format, in its log).
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html
resource "aws_cloudwatch_metric_alarm" "quarantined" {
  count = var.quarantines ? 1 : 0

  alarm_name        = "${var.name}-quarantined"
  alarm_description = "${var.name} put records into quarantine: what it writes lacks them. Read them under s3://${var.quarantine_bucket.name}/${var.name}/."

  namespace   = "LEDA"
  metric_name = "Quarantined"
  dimensions  = { service = var.service, function_name = module.function.name }
  statistic   = "Sum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
  tags          = var.tags
}
