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
  target = module.aggregation.module.reduce_table.aws_dynamodb_table.this
  values = {
    arn        = "arn:aws:dynamodb:eu-west-1:111111111111:table/ReduceTable"
    stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/ReduceTable/stream/2025-01-01T00:00:00.000"
  }
}

override_resource {
  target = module.aggregation.module.aggregate_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/AggregateTable" }
}

override_resource {
  target = module.aggregation.module.registry_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/RegistryTable" }
}

override_resource {
  target = module.state_function.aws_lambda_event_source_mapping.this
  values = { arn = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:5a5a", uuid = "5a5a" }
}

override_resource {
  target = module.aggregation.module.map_function.aws_lambda_event_source_mapping.this
  values = { arn = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:3a3a", uuid = "3a3a" }
}

override_resource {
  target = module.aggregation.module.reduce_function.aws_lambda_event_source_mapping.this
  values = { arn = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:4e4e", uuid = "4e4e" }
}

variables {
  settings = { packages = { directory = "../function/tests/packages" } }
}

run "has_the_names_that_the_workshops_tools_expect" {
  assert {
    condition     = output.stream.name == "IncomingDataStream"
    error_message = "The stream must be IncomingDataStream."
  }

  assert {
    condition     = { for key, function in output.functions : key => function.name } == { state = "StateLambda", map = "MapLambda", reduce = "ReduceLambda", health = "HealthLambda", audit = "AuditLambda" }
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
    condition     = output.functions.map.environment.BACKFILL == "none" && jsondecode(output.functions.map.environment.LIMITS) == { max_integer_digits = 12, max_decimal_places = 17 }
    error_message = "StateTable is new with the pipeline, and the schema's limits are the sums'."
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

run "watches_state_with_map_and_reduce" {
  assert {
    condition     = jsondecode(output.functions.health.environment.MAPPINGS) == { StateLambda = "5a5a", MapLambda = "3a3a", ReduceLambda = "4e4e" }
    error_message = "HealthLambda must know the three mappings."
  }

  assert {
    condition     = jsondecode(output.functions.health.environment.TABLES) == { map = "StateTable", reduce = "ReduceTable" }
    error_message = "HealthLambda must know the tables whose streams Map and Reduce read."
  }
}

run "audits_when_told" {
  variables {
    audit = { schedule_expression = "rate(5 minutes)" }
  }

  assert {
    condition     = output.functions.audit.name == "AuditLambda" && output.functions.audit.environment.SOURCE_TABLE == "StateTable"
    error_message = "AuditLambda must be among the outputs, and compare with StateTable."
  }
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

run "refuses_no_threads" {
  command = plan

  variables {
    write_threads = 0
  }

  expect_failures = [var.write_threads]
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
