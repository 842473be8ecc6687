# What the game's tools write: how often functions fail, the score, the special trades.
module "parameter_table" {
  source = "../table"

  name                = "${var.name_prefix}ParameterTable"
  hash_key            = { name = "parameter", type = "S" }
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
  tags                = var.tags
}

module "generator" {
  source = "../function"

  name        = "${var.name_prefix}GeneratorLambda"
  description = "LEDA: plays the game, with bursts of trades, duplicates, modifications and older versions"
  service     = "GeneratorLambda"
  package     = "generator"

  memory_mb       = var.memory_mb
  timeout_seconds = var.timeout_seconds

  environment = {
    STREAM_NAME     = var.stream.name
    AGGREGATE_TABLE = var.aggregate_table.name
    PARAMETER_TABLE = module.parameter_table.name
    SCHEMA          = jsonencode(var.schema)
  }

  policy_statements = [
    {
      sid       = "PutTrades"
      actions   = ["kinesis:PutRecords"]
      resources = [var.stream.arn]
    },
    {
      sid       = "ReadTotals"
      actions   = ["dynamodb:Scan"]
      resources = [var.aggregate_table.arn]
    },
    {
      sid       = "Parameters"
      actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      resources = [module.parameter_table.arn]
    },
  ]

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

# A run that failed half-way is not played again: the next one goes on from the score.
resource "aws_lambda_function_event_invoke_config" "generator" {
  function_name          = module.generator.name
  maximum_retry_attempts = 0
}

# The rule is there but off, so that one call (or one variable) starts the game.
resource "aws_cloudwatch_event_rule" "schedule" {
  name                = "${var.name_prefix}GeneratorSchedule"
  description         = "Plays the game: starts ${module.generator.name}"
  schedule_expression = var.schedule_expression
  state               = var.schedule_enabled ? "ENABLED" : "DISABLED"
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "generator" {
  rule = aws_cloudwatch_event_rule.schedule.name
  arn  = module.generator.arn
}

resource "aws_lambda_permission" "schedule" {
  statement_id  = "Schedule"
  action        = "lambda:InvokeFunction"
  function_name = module.generator.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.schedule.arn
}
