mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "111111111111"
    }
  }

  mock_data "aws_region" {
    defaults = {
      id = "eu-west-1"
    }
  }

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

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::quarantine"
    }
  }
}

override_resource {
  target = module.records_table.aws_dynamodb_table.this
  values = {
    arn        = "arn:aws:dynamodb:eu-west-1:111111111111:table/GameScoreRecords"
    stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/GameScoreRecords/stream/2025-01-01T00:00:00.000"
  }
}

override_resource {
  target = module.scores_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/GameScoresByUser" }
}

override_resource {
  target = module.checkpoint_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/GameScoreCheckpoints" }
}

variables {
  packages = { directory = "../function/tests/packages" }
}

run "has_the_names_of_the_text" {
  assert {
    condition     = output.functions.aggregate.name == "AggregateScoresByUser"
    error_message = "The function must be AggregateScoresByUser."
  }

  assert {
    condition     = { for key, table in output.tables : key => table.name } == { records = "GameScoreRecords", scores = "GameScoresByUser", checkpoint = "GameScoreCheckpoints" }
    error_message = "The tables must have the text's names, and the checkpoints a table of their own."
  }

  assert {
    condition     = output.quarantine_bucket.name == "leda-bad-scores-111111111111-eu-west-1"
    error_message = "The bucket's name must hold the account and the region, and not be the pipeline's."
  }
}

run "puts_the_prefix_before_every_name" {
  variables {
    name_prefix = "Chess-"
  }

  assert {
    condition     = alltrue([for part in concat(values(output.functions), values(output.tables)) : startswith(part.name, "Chess-")])
    error_message = "Function and tables must begin with the prefix."
  }

  assert {
    condition     = output.quarantine_bucket.name == "chess-leda-bad-scores-111111111111-eu-west-1"
    error_message = "The bucket's name must begin with the prefix in lower case."
  }
}

run "reads_the_records_stream_and_no_other_table_has_one" {
  assert {
    condition     = output.functions.aggregate.event_source_arn == output.tables.records.stream_arn
    error_message = "The function must read GameScoreRecords' stream."
  }

  assert {
    condition     = output.tables.scores.stream_arn == null && output.tables.checkpoint.stream_arn == null
    error_message = "Totals and checkpoints have no stream."
  }

  assert {
    condition     = output.tables.scores.index_name == "ByScore" && keys(output.tables.scores.index_arns) == ["ByScore"] && length(output.tables.records.index_arns) == 0
    error_message = "The totals, and only they, must be ordered by an index."
  }
}

run "may_add_to_scores_move_checkpoints_quarantine_and_nothing_else" {
  assert {
    condition = {
      for statement in jsondecode(output.functions.aggregate.policy).Statement : statement.Sid => [statement.Action, statement.Resource]
      if !contains(["Logs", "ReadStream", "FailureDestination", "FailureDestinationBucket"], statement.Sid)
      } == {
      Checkpoints = [["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/GameScoreCheckpoints"]]
      AddToScores = [["dynamodb:UpdateItem"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/GameScoresByUser"]]
      Quarantine  = [["s3:PutObject"], ["arn:aws:s3:::quarantine/AggregateScoresByUser/*"]]
    }
    error_message = "The function's rights must be exactly these."
  }
}

run "tells_the_function_its_tables_and_bucket" {
  assert {
    condition = { for name in ["SCORES_TABLE", "CHECKPOINT_TABLE", "QUARANTINE_BUCKET"] : name => output.functions.aggregate.environment[name] } == {
      SCORES_TABLE      = "GameScoresByUser"
      CHECKPOINT_TABLE  = "GameScoreCheckpoints"
      QUARANTINE_BUCKET = "leda-bad-scores-111111111111-eu-west-1"
    }
    error_message = "The function must know where it reads and writes."
  }
}

run "alarms_on_a_record_that_could_not_be_counted" {
  variables {
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.quarantined.dimensions == tomap({ service = "AggregateScoresByUser", function_name = "AggregateScoresByUser" })
    error_message = "The function's own count must be watched."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.quarantined.namespace == "LEDA" && aws_cloudwatch_metric_alarm.quarantined.metric_name == "Quarantined" && aws_cloudwatch_metric_alarm.quarantined.threshold == 0 && tolist(aws_cloudwatch_metric_alarm.quarantined.alarm_actions) == tolist(var.alarm_actions)
    error_message = "One record is enough, and the topic must hear of it."
  }
}

run "keeps_the_data_safe_from_destroy_by_default" {
  assert {
    condition     = var.deletion_protection
    error_message = "Tables and bucket must be protected."
  }
}

run "refuses_a_prefix_that_does_not_fit_the_buckets_name" {
  command = plan

  variables {
    name_prefix = "a-prefix-of-21-letters"
  }

  expect_failures = [var.name_prefix]
}

run "refuses_an_unknown_log_level" {
  command = plan

  variables {
    log_level = "TRACE"
  }

  expect_failures = [var.log_level]
}
