mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::111111111111:role/Function"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-west-1:111111111111:log-group:/aws/lambda/Function"
    }
  }
}

override_resource {
  target = module.parameter_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/ParameterTable" }
}

override_resource {
  target = module.generator.aws_lambda_function.this
  values = { arn = "arn:aws:lambda:eu-west-1:111111111111:function:GeneratorLambda" }
}

override_resource {
  target = aws_cloudwatch_event_rule.schedule
  values = { arn = "arn:aws:events:eu-west-1:111111111111:rule/GeneratorSchedule" }
}

variables {
  settings        = { packages = { directory = "../function/tests/packages" } }
  stream          = { name = "IncomingDataStream", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/IncomingDataStream" }
  aggregate_table = { name = "AggregateTable", arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/AggregateTable" }
  schema = {
    id                 = "TradeID"
    version            = "Version"
    value              = "Value"
    timestamp          = "Timestamp"
    deleted            = "Deleted"
    hierarchy          = "Hierarchy"
    levels             = ["RiskType", "TradeDesk", "Region"]
    max_integer_digits = 12
    max_decimal_places = 17
  }
}

run "has_the_names_that_the_workshops_tools_expect" {
  assert {
    condition     = output.parameter_table.name == "ParameterTable" && output.generator.name == "GeneratorLambda"
    error_message = "The table and the function must have the workshop's names."
  }
}

run "does_not_play_until_told" {
  assert {
    condition     = aws_cloudwatch_event_rule.schedule.state == "DISABLED"
    error_message = "The schedule must be off by default."
  }
}

run "plays_when_told" {
  variables {
    name_prefix         = "Test-"
    schedule_enabled    = true
    schedule_expression = "rate(5 minutes)"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.schedule.state == "ENABLED" && aws_cloudwatch_event_rule.schedule.schedule_expression == "rate(5 minutes)"
    error_message = "The schedule must be on, as often as told."
  }

  assert {
    condition     = output.schedule_rule_name == "Test-GeneratorSchedule" && output.generator.name == "Test-GeneratorLambda" && output.parameter_table.name == "Test-ParameterTable"
    error_message = "Every name must begin with the prefix."
  }
}

run "lets_only_the_schedule_start_the_generator" {
  assert {
    condition     = aws_lambda_permission.schedule.principal == "events.amazonaws.com" && aws_lambda_permission.schedule.source_arn == aws_cloudwatch_event_rule.schedule.arn
    error_message = "Only this rule may start the function."
  }
}

run "does_not_play_a_failed_run_again" {
  assert {
    condition     = aws_lambda_function_event_invoke_config.generator.maximum_retry_attempts == 0
    error_message = "Lambda must not start a failed run again."
  }
}

run "lets_the_generator_put_trades_read_totals_and_keep_its_score_and_nothing_else" {
  assert {
    condition = {
      for statement in jsondecode(output.generator.policy).Statement : statement.Sid => [statement.Action, statement.Resource]
      if statement.Sid != "Logs"
      } == {
      PutTrades  = [["kinesis:PutRecords"], ["arn:aws:kinesis:eu-west-1:111111111111:stream/IncomingDataStream"]]
      ReadTotals = [["dynamodb:Scan"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/AggregateTable"]]
      Parameters = [["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/ParameterTable"]]
    }
    error_message = "GeneratorLambda's rights must be exactly these."
  }
}

run "refuses_a_schedule_that_eventbridge_does_not_know" {
  command = plan

  variables {
    schedule_expression = "every minute"
  }

  expect_failures = [var.schedule_expression]
}

run "refuses_a_setting_that_nobody_knows" {
  command = plan

  variables {
    settings = { packages = { directory = "../function/tests/packages" }, log_levl = "INFO" }
  }

  expect_failures = [output.generator]
}

run "refuses_a_prefix_that_does_not_fit" {
  command = plan

  variables {
    name_prefix = "a-prefix-of-21-letters"
  }

  expect_failures = [var.name_prefix]
}
