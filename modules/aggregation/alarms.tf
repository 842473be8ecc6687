locals {
  # By the names of their services in metrics.
  watched = merge(
    { for service, function in var.writers : service => function.name },
    {
      MapLambda    = module.map_function.name
      ReduceLambda = module.reduce_function.name
    },
  )

  # The option with which the `leda` command finds these totals. By its prefix it finds a pipeline with StateLambda and what that has quarantined.
  prefix_option  = var.name_prefix == "" ? "" : " --name-prefix ${var.name_prefix}"
  command_target = contains(keys(var.writers), "StateLambda") ? local.prefix_option : " --map-function ${local.names.map}"
}

# Before the first backfill of a table that has rows already, Map counts nothing.
resource "aws_cloudwatch_metric_alarm" "waiting" {
  count = var.backfill == "required" ? 1 : 0

  alarm_name        = "${local.names.map}-waiting"
  alarm_description = "${local.names.map} leaves changes of ${var.table.name} to the first backfill, and counts none before: run `leda backfill${local.command_target}`."

  namespace   = "LEDA"
  metric_name = "Waiting"
  dimensions  = { service = "MapLambda", function_name = module.map_function.name }
  statistic   = "Sum"
  period      = 300

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}

# Rows of a lane are one item collection, which holds 10 GB: beyond that DynamoDB refuses Map's writes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html#LSI.ItemCollections
resource "aws_cloudwatch_metric_alarm" "lane_gigabytes" {
  alarm_name        = "${local.names.map}-lane-gigabytes"
  alarm_description = "A lane of ${module.reduce_table.name} nears the 10 GB that DynamoDB lets it hold; beyond, ${local.names.map} cannot write. Raise reduce_lanes or lower delta_retention_seconds and run `terraform apply`."

  namespace   = "LEDA"
  metric_name = "LaneGigabytes"
  dimensions  = { service = "MapLambda", function_name = module.map_function.name }
  statistic   = "Maximum"
  period      = 300

  comparison_operator = "GreaterThanThreshold"
  threshold           = 8
  evaluation_periods  = 1
  # While Map writes nothing the lane is as large as before.
  treat_missing_data = "ignore"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}
