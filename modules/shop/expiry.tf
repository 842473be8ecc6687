# The quantities of orders that nobody pays return to stock.

module "expire_orders" {
  source = "../function"

  name        = local.names.expire_orders
  description = "LEDA: closes orders that were not paid in time"
  service     = "ExpireOrders"
  package     = "expire_orders"

  environment = {
    SHOP_TABLE = module.table.name
  }

  policy_statements = [
    {
      sid       = "Close"
      actions   = ["dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
      resources = [module.table.arn]
    },
    {
      sid       = "ReadIndex"
      actions   = ["dynamodb:Query"]
      resources = [module.table.index_arns["orders"]]
    },
  ]

  timeout_seconds = 120

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

# A run that failed is not repeated: the next one comes by itself, and does what was left.
resource "aws_lambda_function_event_invoke_config" "expire_orders" {
  function_name          = module.expire_orders.name
  maximum_retry_attempts = 0
}

resource "aws_cloudwatch_event_rule" "expire_orders" {
  name                = "${local.names.expire_orders}Schedule"
  description         = "Starts ${local.names.expire_orders}"
  schedule_expression = "rate(5 minutes)"
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "expire_orders" {
  rule = aws_cloudwatch_event_rule.expire_orders.name
  arn  = module.expire_orders.arn
}

resource "aws_lambda_permission" "expire_orders" {
  statement_id  = "Schedule"
  action        = "lambda:InvokeFunction"
  function_name = module.expire_orders.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.expire_orders.arn
}

# The function's own alarm waits for three failures in five minutes, of which this schedule makes one.
resource "aws_cloudwatch_metric_alarm" "expire_orders_failed" {
  alarm_name        = "${local.names.expire_orders}-failed"
  alarm_description = "Orders that were not paid in time could not be closed, so their quantities are missing from the stock: read /aws/lambda/${local.names.expire_orders}."

  namespace   = "AWS/Lambda"
  metric_name = "Errors"
  dimensions  = { FunctionName = local.names.expire_orders }
  statistic   = "Sum"
  period      = 300

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}
