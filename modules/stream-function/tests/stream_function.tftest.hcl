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

variables {
  settings          = { packages = { directory = "../function/tests/packages" } }
  name              = "Function"
  package           = "state"
  event_source      = { kind = "dynamodb", arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Trades/stream/2025-01-01T00:00:00.000" }
  exactly_once      = true
  quarantine_bucket = { name = "leda-quarantine", arn = "arn:aws:s3:::leda-quarantine" }
  service           = "Service"
}

run "an_exactly_once_function_gets_its_records_in_order_and_without_gaps" {
  assert {
    condition     = aws_lambda_event_source_mapping.this.parallelization_factor == 1
    error_message = "One batch of a shard at a time."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_retry_attempts == -1 && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == -1
    error_message = "No batch may be given up."
  }

  assert {
    condition     = !aws_lambda_event_source_mapping.this.bisect_batch_on_function_error
    error_message = "No batch may be cut in two."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.tumbling_window_in_seconds == 900
    error_message = "The mapping must name the shard in its events."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.starting_position == "TRIM_HORIZON"
    error_message = "The mapping must start at the oldest record."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.destination_config[0].on_failure[0].destination_arn == "arn:aws:s3:::leda-quarantine"
    error_message = "What expires must reach the bucket."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this.filter_criteria) == 0
    error_message = "Every record must be delivered unless filters are given."
  }
}

run "an_idempotent_function_is_tried_until_an_hour_before_its_stream_forgets" {
  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades", retention_hours = 168 }
    exactly_once = false
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_retry_attempts == -1 && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 167 * 3600
    error_message = "A batch that meets a failing service is healthy: it must be tried for as long as there is something to send to the bucket afterwards."
  }

  assert {
    condition     = !aws_lambda_event_source_mapping.this.bisect_batch_on_function_error
    error_message = "Halves of a healthy batch only multiply the calls to a failing service."
  }
}

run "a_stream_that_keeps_its_records_for_longer_than_lambda_allows_gives_them_up_after_a_week" {
  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades", retention_hours = 336 }
    exactly_once = false
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 604800
    error_message = "Lambda refuses a larger age."
  }
}

run "an_idempotent_function_on_a_table_s_stream_gives_up_an_hour_before_the_day_ends" {
  variables {
    exactly_once = false
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_retry_attempts == -1 && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 82800
    error_message = "A table's stream keeps its records for 24 hours."
  }
}

run "takes_what_keeps_an_idempotent_function_correct" {
  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades" }
    exactly_once = false
    function     = { parallelization_factor = 10, batching_window_seconds = 1, maximum_retry_attempts = 10, maximum_record_age_seconds = 3600, bisect = true, enabled = false }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_retry_attempts == 10 && aws_lambda_event_source_mapping.this.bisect_batch_on_function_error
    error_message = "A function may be given up by the record that fails."
  }

  assert {
    condition     = tolist(aws_lambda_event_source_mapping.this.function_response_types) == tolist(["ReportBatchItemFailures"])
    error_message = "The function must be able to name the records that failed."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.this.parallelization_factor == 10
      && aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds == 1
      && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 3600
      && aws_lambda_event_source_mapping.this.tumbling_window_in_seconds == 0
      && !aws_lambda_event_source_mapping.this.enabled
    )
    error_message = "Settings that keep an idempotent function correct must be taken."
  }
}

run "may_read_its_table_stream_and_write_to_its_failure_destination_and_its_quarantine_only" {
  assert {
    condition = jsondecode(module.function.policy).Statement == [
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["arn:aws:logs:eu-west-1:111111111111:log-group:/aws/lambda/Function:log-stream:*"]
      },
      {
        Sid      = "ReadStream"
        Effect   = "Allow"
        Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
        Resource = ["arn:aws:dynamodb:eu-west-1:111111111111:table/Trades/stream/2025-01-01T00:00:00.000"]
      },
      {
        Sid      = "FailureDestination"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["arn:aws:s3:::leda-quarantine/aws/lambda/*"]
      },
      {
        Sid      = "FailureDestinationBucket"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::leda-quarantine"]
      },
      {
        Sid      = "Quarantine"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["arn:aws:s3:::leda-quarantine/Function/*"]
      },
    ]
    error_message = "The role must have exactly these rights."
  }
}

run "may_read_its_kinesis_stream_only" {
  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades" }
    exactly_once = false
  }

  assert {
    condition = jsondecode(module.function.policy).Statement[1] == {
      Sid      = "ReadStream"
      Effect   = "Allow"
      Action   = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
      Resource = ["arn:aws:kinesis:eu-west-1:111111111111:stream/Trades"]
    }
    error_message = "The role must be able to read this stream, and no other."
  }
}

run "delivers_only_what_the_filters_match" {
  variables {
    function = { filter_patterns = ["{\"eventName\":[\"INSERT\"]}"] }
  }

  assert {
    condition     = one(aws_lambda_event_source_mapping.this.filter_criteria[0].filter).pattern == "{\"eventName\":[\"INSERT\"]}"
    error_message = "The pattern must reach the mapping."
  }
}

run "alarms_long_before_a_total_is_too_old_and_on_every_record_given_up" {
  variables {
    freshness_seconds = 60
    alarm_actions     = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.iterator_age.threshold == 20000 && aws_cloudwatch_metric_alarm.iterator_age.metric_name == "IteratorAge"
    error_message = "The alarm must go off at a third of the goal, in milliseconds."
  }

  assert {
    condition     = { for key, alarm in aws_cloudwatch_metric_alarm.discarded : key => alarm.metric_name } == { dropped = "DroppedEventCount", destination = "OnFailureDestinationDeliveredEventCount" }
    error_message = "Records that are dropped and records that reach the failure destination must raise an alarm."
  }

  assert {
    condition     = contains(aws_lambda_event_source_mapping.this.metrics_config[0].metrics, "EventCount")
    error_message = "Without EventCount the mapping does not report what it discards."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.discarded) : alarm.threshold == 0 && tolist(alarm.alarm_actions) == tolist(var.alarm_actions)])
    error_message = "One record is enough, and the topic must hear of it."
  }
}

run "remembers_that_it_has_stood_still" {
  variables {
    event_source  = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades", retention_hours = 168 }
    exactly_once  = false
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition     = one([for query in aws_cloudwatch_metric_alarm.stood_still.metric_query : query.expression if query.expression != null]) == "IF(age > 302400000, age)"
    error_message = "Only an age beyond half of the retention may be a value: any other would end the alarm."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.stood_still.treat_missing_data == "ignore" && aws_cloudwatch_metric_alarm.stood_still.evaluation_periods == 1
    error_message = "Without values the alarm must stay as it is, until a person ends it."
  }

  assert {
    condition     = tolist(aws_cloudwatch_metric_alarm.stood_still.alarm_actions) == tolist(var.alarm_actions)
    error_message = "The topic must hear of it."
  }
}

run "alarms_on_every_record_that_it_quarantines" {
  assert {
    condition     = aws_cloudwatch_metric_alarm.quarantined[0].metric_name == "Quarantined" && aws_cloudwatch_metric_alarm.quarantined[0].dimensions == tomap({ service = "Service", function_name = "Function" })
    error_message = "A quarantined record must raise an alarm, by the names that the function's metrics have."
  }

  assert {
    condition     = module.function.environment.QUARANTINE_BUCKET == "leda-quarantine" && module.function.environment.POWERTOOLS_SERVICE_NAME == "Service"
    error_message = "The function must know the bucket and its own service."
  }
}

run "has_neither_right_nor_alarm_where_it_quarantines_nothing" {
  variables {
    quarantines = false
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.quarantined) == 0 && !contains(keys(module.function.environment), "QUARANTINE_BUCKET")
    error_message = "There must be nothing to watch."
  }

  assert {
    condition     = !contains(jsondecode(module.function.policy).Statement[*].Sid, "Quarantine")
    error_message = "The role must not be able to write where the function never does."
  }
}

run "refuses_two_batches_of_a_shard_at_once_for_an_exactly_once_function" {
  command = plan

  variables {
    function = { parallelization_factor = 2 }
  }

  expect_failures = [var.function]
}

run "refuses_bounded_retries_for_an_exactly_once_function" {
  command = plan

  variables {
    function = { maximum_retry_attempts = 100 }
  }

  expect_failures = [var.function]
}

run "refuses_a_record_age_for_an_exactly_once_function" {
  command = plan

  variables {
    function = { maximum_record_age_seconds = 3600 }
  }

  expect_failures = [var.function]
}

run "refuses_bisect_for_an_exactly_once_function" {
  command = plan

  variables {
    function = { bisect = true }
  }

  expect_failures = [var.function]
}

run "refuses_a_table_stream_without_a_window_for_an_exactly_once_function" {
  command = plan

  variables {
    function = { tumbling_window_seconds = 0 }
  }

  expect_failures = [var.function]
}

run "begins_where_an_idempotent_function_is_told_to" {
  command = plan

  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades" }
    exactly_once = false
    function     = { starting_position = "AT_TIMESTAMP", starting_position_timestamp = "2026-01-01T00:00:00Z" }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.starting_position == "AT_TIMESTAMP" && aws_lambda_event_source_mapping.this.starting_position_timestamp == "2026-01-01T00:00:00Z"
    error_message = "The mapping must begin at the time."
  }
}

run "begins_with_what_is_new_on_a_table_s_stream" {
  command = plan

  variables {
    exactly_once = false
    function     = { starting_position = "LATEST" }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.starting_position == "LATEST" && aws_lambda_event_source_mapping.this.starting_position_timestamp == null
    error_message = "The mapping must leave out what is there already."
  }
}

run "refuses_to_leave_records_out_for_an_exactly_once_function" {
  command = plan

  variables {
    function = { starting_position = "LATEST" }
  }

  expect_failures = [var.function]
}

run "refuses_a_time_on_a_table_s_stream" {
  command = plan

  variables {
    exactly_once = false
    function     = { starting_position = "AT_TIMESTAMP", starting_position_timestamp = "2026-01-01T00:00:00Z" }
  }

  expect_failures = [var.function]
}

run "refuses_a_time_that_nobody_gave" {
  command = plan

  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades" }
    exactly_once = false
    function     = { starting_position = "AT_TIMESTAMP" }
  }

  expect_failures = [var.function]
}

run "refuses_a_time_that_nothing_uses" {
  command = plan

  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades" }
    exactly_once = false
    function     = { starting_position_timestamp = "2026-01-01T00:00:00Z" }
  }

  expect_failures = [var.function]
}

run "refuses_what_is_no_time" {
  command = plan

  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades" }
    exactly_once = false
    function     = { starting_position = "AT_TIMESTAMP", starting_position_timestamp = "yesterday" }
  }

  expect_failures = [var.function]
}

run "refuses_a_position_that_lambda_does_not_know" {
  command = plan

  variables {
    exactly_once = false
    function     = { starting_position = "OLDEST" }
  }

  expect_failures = [var.function]
}

run "refuses_a_window_for_a_function_that_does_not_answer_with_the_windows_state" {
  command = plan

  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades" }
    exactly_once = false
    function     = { tumbling_window_seconds = 60 }
  }

  expect_failures = [var.function]
}

run "takes_a_window_of_none_for_any_function" {
  command = plan

  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades" }
    exactly_once = false
    function     = { tumbling_window_seconds = 0 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.tumbling_window_in_seconds == 0
    error_message = "No window is what every function can answer."
  }
}

run "refuses_unlimited_retries_without_an_age_for_an_idempotent_function" {
  command = plan

  variables {
    exactly_once = false
    function     = { maximum_record_age_seconds = -1 }
  }

  expect_failures = [var.function]
}

run "refuses_an_age_that_the_stream_does_not_reach" {
  command = plan

  variables {
    exactly_once = false
    function     = { maximum_record_age_seconds = 86400 }
  }

  expect_failures = [var.function]
}

run "refuses_a_retention_that_no_stream_has" {
  command = plan

  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades", retention_hours = 23 }
    exactly_once = false
  }

  expect_failures = [var.event_source]
}

run "refuses_a_retention_for_a_table_s_stream" {
  command = plan

  variables {
    event_source = { kind = "dynamodb", arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Trades/stream/2025-01-01T00:00:00.000", retention_hours = 168 }
  }

  expect_failures = [var.event_source]
}

run "refuses_an_empty_batch" {
  command = plan

  variables {
    function = { batch_size = 0 }
  }

  expect_failures = [var.function]
}

run "refuses_a_batch_larger_than_lambda_delivers" {
  command = plan

  variables {
    function = { batch_size = 10001 }
  }

  expect_failures = [var.function]
}

run "refuses_a_batching_window_above_five_minutes" {
  command = plan

  variables {
    function = { batching_window_seconds = 301 }
  }

  expect_failures = [var.function]
}

run "refuses_eleven_batches_of_a_shard_at_once" {
  command = plan

  variables {
    exactly_once = false
    function     = { parallelization_factor = 11 }
  }

  expect_failures = [var.function]
}

run "refuses_more_retries_than_lambda_makes" {
  command = plan

  variables {
    exactly_once = false
    function     = { maximum_retry_attempts = 10001 }
  }

  expect_failures = [var.function]
}

run "refuses_a_record_age_below_a_minute" {
  command = plan

  variables {
    exactly_once = false
    function     = { maximum_record_age_seconds = 59 }
  }

  expect_failures = [var.function]
}

run "refuses_a_tumbling_window_above_a_quarter_of_an_hour" {
  command = plan

  variables {
    function = { tumbling_window_seconds = 901 }
  }

  expect_failures = [var.function]
}

run "refuses_six_filters" {
  command = plan

  variables {
    function = { filter_patterns = ["{}", "{}", "{}", "{}", "{}", "{}"] }
  }

  expect_failures = [var.function]
}

run "refuses_a_source_of_an_unknown_kind" {
  command = plan

  variables {
    event_source = { kind = "sqs", arn = "arn:aws:sqs:eu-west-1:111111111111:queue" }
  }

  expect_failures = [var.event_source]
}

run "refuses_a_table_where_its_stream_is_needed" {
  command = plan

  variables {
    event_source = { kind = "dynamodb", arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Trades" }
  }

  expect_failures = [var.event_source]
}

run "refuses_a_source_that_is_not_of_its_kind" {
  command = plan

  variables {
    event_source = { kind = "kinesis", arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Trades/stream/2025-01-01T00:00:00.000" }
  }

  expect_failures = [var.event_source]
}

run "refuses_a_failure_destination_that_is_no_bucket" {
  command = plan

  variables {
    quarantine_bucket = { name = "failures", arn = "arn:aws:sqs:eu-west-1:111111111111:failures" }
  }

  expect_failures = [var.quarantine_bucket]
}

run "refuses_a_freshness_below_what_polling_allows" {
  command = plan

  variables {
    freshness_seconds = 2
  }

  expect_failures = [var.freshness_seconds]
}
