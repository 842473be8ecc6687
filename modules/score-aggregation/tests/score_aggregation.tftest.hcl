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

  mock_resource "aws_lambda_function" {
    defaults = {
      arn = "arn:aws:lambda:eu-west-1:111111111111:function:Function"
    }
  }

  mock_resource "aws_lambda_event_source_mapping" {
    defaults = {
      arn  = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:0b0b"
      uuid = "0b0b"
    }
  }

  mock_resource "aws_cloudwatch_event_rule" {
    defaults = {
      arn = "arn:aws:events:eu-west-1:111111111111:rule/GameScoresHealthSchedule"
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
  target = module.aggregation.module.aggregate_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/GameScoresByUser" }
}

override_resource {
  target = module.aggregation.module.reduce_table.aws_dynamodb_table.this
  values = {
    arn        = "arn:aws:dynamodb:eu-west-1:111111111111:table/GameScoreDeltas"
    stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/GameScoreDeltas/stream/2025-01-01T00:00:00.000"
  }
}

override_resource {
  target = module.aggregation.module.registry_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/GameScoreRegistry" }
}

variables {
  settings = { packages = { directory = "../function/tests/packages" } }
}

run "has_the_names_of_the_text" {
  assert {
    condition     = { for key, function in output.functions : key => function.name } == { aggregate = "AggregateScoresByUser", reduce = "ReduceScoresByUser", health = "GameScoresHealth" }
    error_message = "The function that reads the records must be AggregateScoresByUser, and none may have a name of the pipeline's."
  }

  assert {
    condition     = { for key, table in output.tables : key => table.name } == { records = "GameScoreRecords", scores = "GameScoresByUser", reduce = "GameScoreDeltas", registry = "GameScoreRegistry" }
    error_message = "The tables of records and of totals must have the text's names, and none may have a name of the pipeline's."
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

run "reads_the_records_stream" {
  assert {
    condition     = output.functions.aggregate.event_source_arn == output.tables.records.stream_arn && output.functions.reduce.event_source_arn == output.tables.reduce.stream_arn
    error_message = "AggregateScoresByUser must read GameScoreRecords' stream, and ReduceScoresByUser what it makes of it."
  }
}

run "orders_the_totals_by_score" {
  assert {
    condition     = output.tables.scores.index_name == "TopScore" && length(output.tables.records.index_arns) == 0
    error_message = "The totals, and not the records, must be ordered by an index."
  }
}

run "sums_the_scores_of_each_user_and_counts_the_records" {
  assert {
    condition = jsondecode(output.functions.aggregate.environment.CONFIGURATION) == {
      group_by    = { users = { keys = ["Username"] } }
      identifiers = "plain"
      measures    = { Score = { op = "sum", field = "Score" }, Records = { op = "count" } }
      on_expiry   = "keep"
    }
    error_message = "A total must be the text's: named by the user as it is, with Score; and what expires must stay in it."
  }

  assert {
    condition     = output.functions.reduce.environment.TOTALS_KEY == "Username" && output.functions.aggregate.environment.BACKFILL == "none"
    error_message = "Username must be the totals' key, and the first record must count at once."
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

# The last one: while the protection is on, the test's own destroy is refused too.
run "can_be_destroyed_once_the_protection_is_lifted" {
  variables {
    deletion_protection = false
  }

  assert {
    condition     = !module.deletion_guard.protected
    error_message = "The apply must lift the protection in place."
  }
}
