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
      arn = "arn:aws:events:eu-west-1:111111111111:rule/AuditSchedule"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::quarantine"
    }
  }
}

override_resource {
  target = module.ingest_stream.aws_kinesis_stream.this
  values = { arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/IncomingDataStream" }
}

override_resource {
  target = module.state_table.aws_dynamodb_table.this
  values = {
    arn        = "arn:aws:dynamodb:eu-west-1:111111111111:table/StateTable"
    stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/StateTable/stream/2025-01-01T00:00:00.000"
  }
}

override_resource {
  target = module.reduce_table.aws_dynamodb_table.this
  values = {
    arn        = "arn:aws:dynamodb:eu-west-1:111111111111:table/ReduceTable"
    stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/ReduceTable/stream/2025-01-01T00:00:00.000"
  }
}

override_resource {
  target = module.aggregate_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/AggregateTable" }
}

override_resource {
  target = module.registry_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/RegistryTable" }
}

override_resource {
  target = module.state_function.aws_lambda_event_source_mapping.this
  values = { arn = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:5a5a", uuid = "5a5a" }
}

override_resource {
  target = module.map_function.aws_lambda_event_source_mapping.this
  values = { arn = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:3a3a", uuid = "3a3a" }
}

override_resource {
  target = module.reduce_function.aws_lambda_event_source_mapping.this
  values = { arn = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:4e4e", uuid = "4e4e" }
}

variables {
  packages = { directory = "../function/tests/packages" }
}

run "has_the_names_that_the_workshops_tools_expect" {
  assert {
    condition     = output.stream.name == "IncomingDataStream"
    error_message = "The stream must be IncomingDataStream."
  }

  assert {
    condition     = { for key, function in output.functions : key => function.name } == { state = "StateLambda", map = "MapLambda", reduce = "ReduceLambda", health = "HealthLambda" }
    error_message = "The functions must have the workshop's names."
  }

  assert {
    condition     = { for key, table in output.tables : key => table.name } == { state = "StateTable", reduce = "ReduceTable", aggregate = "AggregateTable", registry = "RegistryTable" }
    error_message = "The tables must have the workshop's names."
  }

  assert {
    condition     = output.quarantine_bucket.name == "leda-quarantine-111111111111-eu-west-1"
    error_message = "The bucket's name must hold the account and the region."
  }
}

run "puts_the_prefix_before_every_name" {
  variables {
    name_prefix = "Meters-"
  }

  assert {
    condition     = alltrue([for part in concat([output.stream], values(output.functions), values(output.tables)) : startswith(part.name, "Meters-")])
    error_message = "Stream, functions and tables must begin with the prefix."
  }

  assert {
    condition     = output.quarantine_bucket.name == "meters-leda-quarantine-111111111111-eu-west-1"
    error_message = "The bucket's name must begin with the prefix in lower case."
  }
}

run "wires_each_function_to_its_source" {
  assert {
    condition     = output.functions.map.event_source_arn == output.tables.state.stream_arn && output.functions.reduce.event_source_arn == output.tables.reduce.stream_arn && output.functions.state.event_source_arn == output.stream.arn
    error_message = "State reads the stream, Map reads StateTable's stream, Reduce reads ReduceTable's."
  }

  assert {
    condition     = output.tables.aggregate.stream_arn == null && output.tables.registry.stream_arn == null
    error_message = "Totals and the registry have no stream."
  }
}

run "keeps_a_lanes_records_in_one_line_of_shards" {
  assert {
    condition     = keys(output.tables.reduce.index_arns) == ["OneCollection"]
    error_message = "ReduceTable must have the local index: without one DynamoDB may split a lane over partitions, and Reduce would lose changes."
  }
}

run "lets_state_write_states_and_quarantine_and_nothing_else" {
  assert {
    condition = {
      for statement in jsondecode(output.functions.state.policy).Statement : statement.Sid => [statement.Action, statement.Resource]
      if !contains(["Logs", "ReadStream", "FailureDestination", "FailureDestinationBucket"], statement.Sid)
      } == {
      WriteStates = [["dynamodb:BatchGetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/StateTable"]]
      Quarantine  = [["s3:PutObject"], ["arn:aws:s3:::quarantine/StateLambda/*"]]
    }
    error_message = "StateLambda's rights must be exactly these."
  }
}

run "lets_map_write_deltas_and_register_shards_and_quarantine_and_nothing_else" {
  assert {
    condition = {
      for statement in jsondecode(output.functions.map.policy).Statement : statement.Sid => [statement.Action, statement.Resource]
      if !contains(["Logs", "ReadStream", "FailureDestination", "FailureDestinationBucket"], statement.Sid)
      } == {
      Registry    = [["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/RegistryTable"]]
      WriteDeltas = [["dynamodb:PutItem"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/ReduceTable"]]
      Quarantine  = [["s3:PutObject"], ["arn:aws:s3:::quarantine/MapLambda/*"]]
    }
    error_message = "MapLambda's rights must be exactly these."
  }
}

run "lets_reduce_add_to_totals_and_draw_epochs_and_quarantine_and_nothing_else" {
  assert {
    condition = {
      for statement in jsondecode(output.functions.reduce.policy).Statement : statement.Sid => [statement.Action, statement.Resource]
      if !contains(["Logs", "ReadStream", "FailureDestination", "FailureDestinationBucket"], statement.Sid)
      } == {
      Registry    = [["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/RegistryTable"]]
      AddToTotals = [["dynamodb:GetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/AggregateTable"]]
      Quarantine  = [["s3:PutObject"], ["arn:aws:s3:::quarantine/ReduceLambda/*"]]
    }
    error_message = "ReduceLambda's rights must be exactly these."
  }
}

run "injects_no_faults_unless_told" {
  assert {
    condition     = alltrue([for function in values(output.functions) : !contains(keys(function.environment), "PARAMETER_TABLE")])
    error_message = "Without fault injection no function may know a ParameterTable."
  }
}

run "injects_faults_with_read_rights_on_the_parameters_only" {
  variables {
    fault_injection = {
      parameter_table_name = "ParameterTable"
      parameter_table_arn  = "arn:aws:dynamodb:eu-west-1:111111111111:table/ParameterTable"
    }
  }

  assert {
    condition     = alltrue([for part in ["state", "map", "reduce"] : output.functions[part].environment.PARAMETER_TABLE == "ParameterTable"])
    error_message = "State, Map and Reduce must know the table."
  }

  assert {
    condition = alltrue([for part in ["state", "map", "reduce"] : contains(jsondecode(output.functions[part].policy).Statement, {
      Sid      = "ReadFaults"
      Effect   = "Allow"
      Action   = ["dynamodb:GetItem"]
      Resource = ["arn:aws:dynamodb:eu-west-1:111111111111:table/ParameterTable"]
    })])
    error_message = "State, Map and Reduce must be able to read the table, and no more."
  }
}

run "tells_the_functions_what_a_message_looks_like" {
  variables {
    schema = { id = "reading", levels = ["country", "city"], hierarchy = "" }
  }

  assert {
    condition = jsondecode(output.functions.state.environment.SCHEMA) == {
      id                 = "reading"
      version            = "Version"
      value              = "Value"
      timestamp          = "Timestamp"
      deleted            = "Deleted"
      hierarchy          = null
      levels             = ["country", "city"]
      max_integer_digits = 12
      max_decimal_places = 17
    }
    error_message = "StateLambda must get the schema with the defaults filled in, and null for an empty hierarchy."
  }
}

run "takes_the_settings_of_each_function" {
  variables {
    state_function  = { memory_mb = 1024, timeout_seconds = 30, parallelization_factor = 4, batch_size = 500 }
    reduce_function = { reserved_concurrency = 1 }
    reduce_lanes    = 8
  }

  assert {
    condition     = output.functions.map.environment.REDUCE_LANES == "8"
    error_message = "Map must know the number of lanes."
  }
}

run "tells_map_and_reduce_what_they_add_and_how_long_it_is_kept" {
  variables {
    delta_retention_seconds = 259200
    reduce_threads          = 8
  }

  assert {
    condition = jsondecode(output.functions.map.environment.CONFIGURATION) == {
      path = "Path"
      measures = {
        Count = { op = "count" }
        Value = { op = "sum", field = "Value" }
      }
    }
    error_message = "Map must count the trades of each node and sum their values."
  }

  assert {
    condition     = output.functions.map.environment.DELTA_RETENTION_SECONDS == "259200" && output.functions.reduce.environment.REDUCE_THREADS == "8"
    error_message = "Map must know how long its rows are kept, Reduce with how many threads it writes."
  }

  assert {
    condition     = output.functions.map.environment.REGISTRY_TABLE == "RegistryTable" && output.functions.reduce.environment.REGISTRY_TABLE == "RegistryTable"
    error_message = "Map and Reduce must know the registry."
  }

  assert {
    condition     = !anytrue([for function in values(output.functions) : contains(keys(function.environment), "CHECKPOINT_TABLE")])
    error_message = "There is no CheckpointTable in the pipeline."
  }
}

run "keeps_a_row_for_two_days_by_default" {
  assert {
    condition     = output.functions.map.environment.DELTA_RETENTION_SECONDS == "172800"
    error_message = "A row must outlive the 24 hours of its source by far."
  }
}

run "alarms_on_quarantined_messages_of_each_function" {
  variables {
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition     = { for alarm in values(aws_cloudwatch_metric_alarm.quarantined) : alarm.dimensions.service => alarm.dimensions.function_name } == { StateLambda = "StateLambda", MapLambda = "MapLambda", ReduceLambda = "ReduceLambda" }
    error_message = "Each function's count must be watched."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.quarantined) : alarm.namespace == "LEDA" && alarm.metric_name == "Quarantined" && alarm.threshold == 0 && tolist(alarm.alarm_actions) == tolist(var.alarm_actions)])
    error_message = "One quarantined message is enough, and the topic must hear of it."
  }
}

run "checks_the_pipelines_health_every_five_minutes" {
  assert {
    condition     = aws_cloudwatch_event_rule.health.schedule_expression == "rate(5 minutes)" && aws_cloudwatch_event_target.health.arn == output.functions.health.arn
    error_message = "The rule must start the function every five minutes."
  }

  assert {
    condition     = aws_lambda_permission.health.source_arn == aws_cloudwatch_event_rule.health.arn && aws_lambda_permission.health.principal == "events.amazonaws.com"
    error_message = "This rule, and nothing else, may start the function."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.health.maximum_retry_attempts == 0
    error_message = "A failed check must not be repeated."
  }

  assert {
    condition     = jsondecode(output.functions.health.environment.MAPPINGS) == { StateLambda = "5a5a", MapLambda = "3a3a", ReduceLambda = "4e4e" }
    error_message = "The function must know the three mappings."
  }

  assert {
    condition     = jsondecode(output.functions.health.environment.TABLES) == { map = "StateTable", reduce = "ReduceTable" } && output.functions.health.environment.REGISTRY_TABLE == "RegistryTable"
    error_message = "The function must know the tables whose streams Map and Reduce read, and the registry."
  }
}

run "lets_health_look_and_do_nothing_else" {
  assert {
    condition = {
      for statement in jsondecode(output.functions.health.policy).Statement : statement.Sid => [statement.Action, statement.Resource] if statement.Sid != "Logs"
      } == {
      Registry = [["dynamodb:GetItem", "dynamodb:Query"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/RegistryTable"]]
      Mappings = [["lambda:GetEventSourceMapping"], [
        "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:5a5a",
        "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:3a3a",
        "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:4e4e",
      ]]
      Tables = [["dynamodb:DescribeTable"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/StateTable", "arn:aws:dynamodb:eu-west-1:111111111111:table/ReduceTable"]]
    }
    error_message = "HealthLambda's rights must be exactly these."
  }
}

run "alarms_on_an_open_rebuild_a_mapping_that_is_off_and_a_stream_that_is_new" {
  variables {
    name_prefix   = "Meters-"
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition     = { for alarm in values(aws_cloudwatch_metric_alarm.health) : alarm.alarm_name => "${alarm.metric_name} ${alarm.evaluation_periods}" } == { Meters-HealthLambda-rebuild-open = "RebuildOpen 3", Meters-HealthLambda-mappings-off = "MappingsOff 3", Meters-HealthLambda-streams-not-settled = "StreamsNotSettled 1" }
    error_message = "There must be an alarm for each of the three."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.health) : alarm.namespace == "LEDA" && alarm.dimensions == tomap({ service = "HealthLambda", function_name = "Meters-HealthLambda" }) && alarm.threshold == 0 && alarm.treat_missing_data == "ignore" && tolist(alarm.alarm_actions) == tolist(var.alarm_actions)])
    error_message = "The alarms must watch what the function emits, the topic must hear of them, and time alone must not end one."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.health) : strcontains(alarm.alarm_description, "`leda rebuild`")])
    error_message = "Each must name the command that answers it."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.health_failed.metric_name == "Errors" && aws_cloudwatch_metric_alarm.health_failed.dimensions.FunctionName == "Meters-HealthLambda" && tolist(aws_cloudwatch_metric_alarm.health_failed.alarm_actions) == tolist(var.alarm_actions)
    error_message = "A function that fails every time must be heard of."
  }
}

run "alarms_before_a_lane_is_as_large_as_dynamodb_allows" {
  variables {
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.lane_gigabytes.metric_name == "LaneGigabytes" && aws_cloudwatch_metric_alarm.lane_gigabytes.threshold == 8 && aws_cloudwatch_metric_alarm.lane_gigabytes.statistic == "Maximum"
    error_message = "The alarm must go off above 8 of the 10 GB."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.lane_gigabytes.dimensions == tomap({ service = "MapLambda", function_name = "MapLambda" }) && tolist(aws_cloudwatch_metric_alarm.lane_gigabytes.alarm_actions) == tolist(var.alarm_actions)
    error_message = "The alarm must watch what Map emits, and the topic must hear of it."
  }
}

run "has_a_dashboard_that_can_be_left_out" {
  variables {
    dashboard = false
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 0
    error_message = "dashboard = false must leave it out."
  }
}

run "audits_nothing_unless_told" {
  assert {
    condition     = length(module.audit_function) == 0 && length(aws_cloudwatch_event_rule.audit) == 0 && length(aws_cloudwatch_metric_alarm.drift) == 0
    error_message = "Without audit there is no function, no rule and no alarm for it."
  }
}

run "audits_on_a_schedule_when_told" {
  variables {
    name_prefix       = "Meters-"
    audit             = { schedule_expression = "rate(5 minutes)" }
    freshness_seconds = 45
  }

  assert {
    condition     = output.functions.audit.name == "Meters-AuditLambda" && output.functions.audit.environment.FRESHNESS_SECONDS == "45"
    error_message = "The function must be among the outputs, and know how fresh totals are to be."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.audit[0].schedule_expression == "rate(5 minutes)" && aws_cloudwatch_event_target.audit[0].arn == output.functions.audit.arn
    error_message = "The rule must start the function as often as told."
  }

  assert {
    condition     = aws_lambda_permission.audit[0].source_arn == aws_cloudwatch_event_rule.audit[0].arn && aws_lambda_permission.audit[0].principal == "events.amazonaws.com"
    error_message = "This rule, and nothing else, may start the function."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.audit[0].maximum_retry_attempts == 0
    error_message = "A failed audit must not be repeated."
  }
}

run "lets_audit_scan_the_two_tables_and_read_the_configuration_and_nothing_else" {
  variables {
    audit = {}
  }

  assert {
    condition = {
      for statement in jsondecode(output.functions.audit.policy).Statement : statement.Sid => [statement.Action, statement.Resource] if statement.Sid != "Logs"
      } == {
      ReadTables = [["dynamodb:Scan"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/StateTable", "arn:aws:dynamodb:eu-west-1:111111111111:table/AggregateTable"]]
      Registry   = [["dynamodb:GetItem"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/RegistryTable"]]
    }
    error_message = "AuditLambda's rights must be exactly these."
  }
}

run "alarms_on_drift_and_on_an_audit_that_failed" {
  variables {
    audit         = {}
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.drift[0].namespace == "LEDA" && aws_cloudwatch_metric_alarm.drift[0].metric_name == "Drift" && aws_cloudwatch_metric_alarm.drift[0].dimensions == tomap({ service = "AuditLambda", function_name = "AuditLambda" })
    error_message = "The alarm must watch the metric that the function emits."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.audit_failed[0].metric_name == "Errors" && aws_cloudwatch_metric_alarm.audit_failed[0].dimensions.FunctionName == "AuditLambda"
    error_message = "One failed audit must be heard of."
  }

  assert {
    condition     = alltrue([for alarm in [aws_cloudwatch_metric_alarm.drift[0], aws_cloudwatch_metric_alarm.audit_failed[0]] : alarm.threshold == 0 && alarm.evaluation_periods == 1 && alarm.treat_missing_data == "ignore" && tolist(alarm.alarm_actions) == tolist(var.alarm_actions)])
    error_message = "One bad audit is enough, the topic must hear of it, and time alone must not end the alarm."
  }
}

run "refuses_a_schedule_that_is_none" {
  command = plan

  variables {
    audit = { schedule_expression = "hourly" }
  }

  expect_failures = [var.audit]
}

run "refuses_an_audit_that_has_no_time_to_look_twice" {
  command = plan

  variables {
    audit             = { timeout_seconds = 60 }
    freshness_seconds = 30
  }

  expect_failures = [var.audit]
}

run "keeps_the_data_safe_from_destroy_by_default" {
  assert {
    condition     = var.deletion_protection
    error_message = "Tables and bucket must be protected."
  }
}

run "refuses_a_schema_without_levels" {
  command = plan

  variables {
    schema = { levels = [] }
  }

  expect_failures = [var.schema]
}

run "refuses_a_level_named_twice" {
  command = plan

  variables {
    schema = { levels = ["Region", "Region"] }
  }

  expect_failures = [var.schema]
}

run "refuses_an_empty_field_name" {
  command = plan

  variables {
    schema = { id = " " }
  }

  expect_failures = [var.schema]
}

run "refuses_one_field_for_two_purposes" {
  command = plan

  variables {
    schema = { id = "Value" }
  }

  expect_failures = [var.schema]
}

run "refuses_values_without_digits" {
  command = plan

  variables {
    schema = { max_integer_digits = 0 }
  }

  expect_failures = [var.schema]
}

run "refuses_values_whose_sum_would_not_fit_a_number" {
  command = plan

  variables {
    schema = { max_integer_digits = 13 }
  }

  expect_failures = [var.schema]
}

run "refuses_no_lanes" {
  command = plan

  variables {
    reduce_lanes = 0
  }

  expect_failures = [var.reduce_lanes]
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

run "refuses_checkpoints_that_expire_while_their_stream_can_still_deliver" {
  command = plan

  variables {
    delta_retention_seconds = 86400
  }

  expect_failures = [var.delta_retention_seconds]
}

run "refuses_a_reduce_without_threads" {
  command = plan

  variables {
    reduce_threads = 0
  }

  expect_failures = [var.reduce_threads]
}

run "refuses_no_threads" {
  command = plan

  variables {
    write_threads = 0
  }

  expect_failures = [var.write_threads]
}
