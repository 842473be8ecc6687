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
  target = module.map_function.aws_lambda_event_source_mapping.this
  values = { arn = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:3a3a", uuid = "3a3a" }
}

override_resource {
  target = module.reduce_function.aws_lambda_event_source_mapping.this
  values = { arn = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:4e4e", uuid = "4e4e" }
}

variables {
  settings = { packages = { directory = "../function/tests/packages" } }

  table = {
    name       = "Feedback"
    arn        = "arn:aws:dynamodb:eu-west-1:111111111111:table/Feedback"
    stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Feedback/stream/2025-01-01T00:00:00.000"
  }

  measures = { Count = { op = "count" } }
  group_by = { daily = { keys = ["date"] } }
}

run "tells_map_exactly_what_was_written" {
  variables {
    measures = {
      Count     = { op = "count" }
      Sentiment = { op = "sum", field = "sentiment_score", missing = 0 }
      Seconds   = { op = "sum", field = "detail.seconds" }
    }
    group_by = {
      daily  = { keys = ["date"] }
      source = { keys = ["source_platform", "date"], missing = { source_platform = "unknown" } }
      urgent = { keys = ["date"], where = { urgency = ["high", 1, true] } }
      tags   = { keys = ["tags[]", "date"] }
      hourly = { keys = ["detail.region as region", "created_at:hour"], retention_days = 90 }
      desk   = { keys = ["RiskType", "TradeDesk", "Region"], rollup = true }
    }
    on_expiry = "keep"
    audit     = null
    limits    = { max_decimal_places = 6 }
  }

  assert {
    condition = output.functions.map.environment.CONFIGURATION == jsonencode({
      group_by = {
        daily  = { keys = ["date"] }
        desk   = { keys = ["RiskType", "TradeDesk", "Region"], rollup = true }
        hourly = { keys = ["detail.region as region", "created_at:hour"], retention_days = 90 }
        source = { keys = ["source_platform", "date"], missing = { source_platform = "unknown" } }
        tags   = { keys = ["tags[]", "date"] }
        urgent = { keys = ["date"], where = { urgency = ["1", "high", "true"] } }
      }
      measures = {
        Count     = { op = "count" }
        Seconds   = { op = "sum", field = "detail.seconds" }
        Sentiment = { op = "sum", field = "sentiment_score", missing = "0" }
      }
      on_expiry = "keep"
    })
    error_message = "CONFIGURATION must hold what was given, values as texts, and nothing else."
  }

  assert {
    condition     = output.functions.map.environment.LIMITS == jsonencode({ max_decimal_places = 6, max_integer_digits = 12 })
    error_message = "Map must know the limits of values."
  }

  assert {
    condition     = output.functions.map.environment.BACKFILL == "required"
    error_message = "A table has rows already unless the caller says that it is new."
  }
}

run "leaves_out_of_the_configuration_what_is_the_default" {
  assert {
    condition     = output.functions.map.environment.CONFIGURATION == jsonencode({ group_by = { daily = { keys = ["date"] } }, measures = { Count = { op = "count" } } })
    error_message = "A part that was not given must not be in CONFIGURATION: it would change the version."
  }

  assert {
    condition     = output.functions.reduce.environment.TOTALS_KEY == "Identifier"
    error_message = "Reduce must know the totals table's key."
  }
}

run "gives_a_ready_path_in_place_of_groupings" {
  variables {
    group_by       = {}
    hierarchy_path = "Path"
    backfill       = "none"
  }

  assert {
    condition     = output.functions.map.environment.CONFIGURATION == jsonencode({ measures = { Count = { op = "count" } }, path = "Path" })
    error_message = "CONFIGURATION must be the pipeline's."
  }
}

run "makes_scores_by_user_as_its_text_has_them" {
  variables {
    names       = { map = "AggregateScoresByUser", totals_table = "GameScoresByUser" }
    name_prefix = "Scores-"
    totals_key  = "Username"
    identifiers = "plain"
    measures    = { Score = { op = "sum", field = "Score" } }
    group_by    = { scores = { keys = ["Username"] } }
    on_expiry   = "keep"
    audit       = null
    backfill    = "none"
    indexes     = { top = ["Score"] }
  }

  assert {
    condition     = jsondecode(output.functions.map.environment.CONFIGURATION).identifiers == "plain" && output.functions.reduce.environment.TOTALS_KEY == "Username"
    error_message = "The totals' key must be the user's name as it is."
  }

  assert {
    condition     = keys(output.tables.aggregate.index_arns) == ["TopScore"]
    error_message = "Totals with plain names have a Parent too, so an index can order them."
  }

  assert {
    condition = { for key, function in output.functions : key => function.name } == {
      map    = "AggregateScoresByUser"
      reduce = "Scores-ReduceLambda"
      health = "Scores-HealthLambda"
      } && { for key, table in output.tables : key => table.name } == {
      reduce    = "Scores-ReduceTable"
      aggregate = "GameScoresByUser"
      registry  = "Scores-RegistryTable"
    }
    error_message = "Given names are whole; all others take the prefix."
  }

  assert {
    condition     = output.functions.map.environment.POWERTOOLS_SERVICE_NAME == "MapLambda" && output.functions.map.environment.POWERTOOLS_METRICS_FUNCTION_NAME == "AggregateScoresByUser"
    error_message = "Metrics must be found by what the function does and by its name."
  }
}

run "has_the_usual_names_and_says_what_to_do_next" {
  variables {
    name_prefix = "Feedback-"
  }

  assert {
    condition = alltrue([for part in concat(values(output.functions), values(output.tables)) : startswith(part.name, "Feedback-")]) && output.totals_table == {
      name = "Feedback-AggregateTable"
      arn  = "arn:aws:dynamodb:eu-west-1:111111111111:table/AggregateTable"
    }
    error_message = "All names begin with the prefix, and readers get the totals' table."
  }

  assert {
    condition     = output.quarantine_bucket.name == "feedback-leda-quarantine-111111111111-eu-west-1"
    error_message = "The bucket's name must begin with the prefix in lower case."
  }

  assert {
    condition     = startswith(output.next_step, "Feedback-MapLambda counts nothing before the first backfill. If it has not run yet, run: leda backfill --map-function Feedback-MapLambda\n") && endswith(output.next_step, "has no effect before: leda backfill --map-function Feedback-MapLambda")
    error_message = "The output must name the command, and say that nothing is counted yet."
  }
}

run "says_of_a_new_table_that_it_counts_at_once" {
  variables {
    backfill = "none"
  }

  assert {
    condition     = startswith(output.next_step, "MapLambda counts from the first change on.\n") && endswith(output.next_step, "has no effect before: leda backfill --map-function MapLambda")
    error_message = "A changed configuration needs a backfill here, too."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.waiting) == 0
    error_message = "Nothing waits for a backfill."
  }
}

run "says_of_totals_that_keep_what_expired_that_they_stay_as_they_are" {
  variables {
    on_expiry = "keep"
    audit     = null
  }

  assert {
    condition     = strcontains(output.next_step, "has not run yet, run: leda backfill") && endswith(output.next_step, "use a second module beside this one.")
    error_message = "Only the first backfill is possible, and the output must say so."
  }

  assert {
    condition     = strcontains(output.next_step, "had on_expiry = \"subtract\" until now, run: leda backfill --map-function MapLambda\n")
    error_message = "Totals that were computed under subtract need one backfill more, or keep has no effect."
  }

  assert {
    condition     = !anytrue([for alarm in values(aws_cloudwatch_metric_alarm.health) : strcontains(alarm.alarm_description, "leda rebuild") || strcontains(alarm.alarm_description, "leda verify")])
    error_message = "Nothing can compute these totals again, or compare them, so no alarm may say so."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_metric_alarm.health["streams-not-settled"].alarm_description, "`leda redrive --map-function MapLambda --settle`")
    error_message = "The alarm of a new stream must name the command that answers it."
  }
}

run "alarms_while_changes_wait_for_the_first_backfill" {
  assert {
    condition     = aws_cloudwatch_metric_alarm.waiting[0].metric_name == "Waiting" && aws_cloudwatch_metric_alarm.waiting[0].dimensions == tomap({ service = "MapLambda", function_name = "MapLambda" }) && strcontains(aws_cloudwatch_metric_alarm.waiting[0].alarm_description, "`leda backfill --map-function MapLambda`")
    error_message = "The alarm must watch what Map leaves, and name the command that ends it."
  }
}

run "makes_the_indexes_that_are_switched_on" {
  variables {
    measures = { Count = { op = "count" }, Sentiment = { op = "sum", field = "sentiment_score" } }
    indexes  = { children = true, top = ["Count", "Sentiment"] }
  }

  assert {
    condition     = keys(output.tables.aggregate.index_arns) == ["Children", "TopCount", "TopSentiment"]
    error_message = "There must be an index of children and one a measure."
  }
}

run "has_no_indexes_by_default" {
  assert {
    condition     = length(output.tables.aggregate.index_arns) == 0
    error_message = "An index costs a write at every change of a total: none unless it is asked for."
  }
}

run "puts_what_it_cannot_count_into_a_given_bucket" {
  variables {
    quarantine_bucket = { name = "mine", arn = "arn:aws:s3:::mine" }
  }

  assert {
    condition     = output.quarantine_bucket.name == "mine" && length(module.quarantine_bucket) == 0 && output.functions.map.environment.QUARANTINE_BUCKET == "mine" && output.functions.reduce.environment.QUARANTINE_BUCKET == "mine"
    error_message = "No bucket must be made where one is given."
  }
}

run "uses_the_source_tables_key_by_way_of_dynamodb_only" {
  variables {
    table = {
      name        = "Feedback"
      arn         = "arn:aws:dynamodb:eu-west-1:111111111111:table/Feedback"
      stream_arn  = "arn:aws:dynamodb:eu-west-1:111111111111:table/Feedback/stream/2025-01-01T00:00:00.000"
      kms_key_arn = "arn:aws:kms:eu-west-1:111111111111:key/0b0b"
    }
    audit = {}
  }

  assert {
    condition = alltrue([for part in ["map", "audit"] : contains(jsondecode(output.functions[part].policy).Statement, {
      Sid       = "SourceTableKey"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:DescribeKey"]
      Resource  = ["arn:aws:kms:eu-west-1:111111111111:key/0b0b"]
      Condition = { StringEquals = { "kms:ViaService" = ["dynamodb.eu-west-1.amazonaws.com"] } }
    })])
    error_message = "Map and Audit must be able to read with the key, through DynamoDB."
  }

  assert {
    condition     = alltrue([for part in ["reduce", "health"] : !strcontains(output.functions[part].policy, "key/0b0b")])
    error_message = "Reduce and Health read nothing that the key encrypts."
  }
}

run "names_a_table_of_another_account_by_its_arn" {
  variables {
    table = {
      name       = "Feedback"
      arn        = "arn:aws:dynamodb:eu-west-1:222222222222:table/Feedback"
      stream_arn = "arn:aws:dynamodb:eu-west-1:222222222222:table/Feedback/stream/2025-01-01T00:00:00.000"
    }
    audit = {}
  }

  assert {
    condition     = jsondecode(output.functions.health.environment.TABLES).map == "arn:aws:dynamodb:eu-west-1:222222222222:table/Feedback" && output.functions.audit.environment.SOURCE_TABLE == "arn:aws:dynamodb:eu-west-1:222222222222:table/Feedback"
    error_message = "A name would mean a table of this account."
  }
}

run "watches_the_functions_that_write_the_table" {
  variables {
    writers = {
      StateLambda = { name = "StateLambda", mapping_uuid = "5a5a", mapping_arn = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:5a5a" }
    }
  }

  assert {
    condition     = jsondecode(output.functions.health.environment.MAPPINGS) == { StateLambda = "5a5a", MapLambda = "3a3a", ReduceLambda = "4e4e" }
    error_message = "HealthLambda must know the mapping of the function that writes."
  }

  assert {
    condition = [for statement in jsondecode(output.functions.health.policy).Statement : statement.Resource if statement.Sid == "Mappings"] == [[
      "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:5a5a",
      "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:3a3a",
      "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:4e4e",
    ]]
    error_message = "HealthLambda must be able to read the three mappings."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.health) : strcontains(alarm.alarm_description, "`leda rebuild`")]) && endswith(output.next_step, "has no effect before: leda backfill")
    error_message = "A pipeline is found by its prefix, which may be empty."
  }
}

run "names_the_prefix_of_a_pipeline_in_its_commands" {
  variables {
    name_prefix = "Trades-"
    writers = {
      StateLambda = { name = "Trades-StateLambda", mapping_uuid = "5a5a", mapping_arn = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:5a5a" }
    }
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.health) : strcontains(alarm.alarm_description, "`leda rebuild --name-prefix Trades-`")])
    error_message = "By its prefix the command finds StateLambda, too."
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
    condition = alltrue([for part in ["map", "reduce"] : output.functions[part].environment.PARAMETER_TABLE == "ParameterTable" && contains(jsondecode(output.functions[part].policy).Statement, {
      Sid      = "ReadFaults"
      Effect   = "Allow"
      Action   = ["dynamodb:GetItem"]
      Resource = ["arn:aws:dynamodb:eu-west-1:111111111111:table/ParameterTable"]
    })])
    error_message = "Map and Reduce must know the table and be able to read it, and no more."
  }
}

run "asks_for_the_shards_name_unless_told" {
  assert {
    condition     = alltrue([for part in ["map", "reduce"] : !contains(keys(output.functions[part].environment), "SINGLE_SHARD")])
    error_message = "An event without a shard's name must be refused."
  }
}

run "takes_events_without_a_shards_name_when_told" {
  variables {
    single_shard = true
  }

  assert {
    condition     = alltrue([for part in ["map", "reduce"] : output.functions[part].environment.SINGLE_SHARD == "true"])
    error_message = "Map and Reduce must take events that name no shard."
  }
}

run "takes_the_settings_of_each_function" {
  variables {
    map_function            = { batch_size = 500, memory_mb = 1024 }
    reduce_lanes            = 8
    reduce_threads          = 16
    delta_retention_seconds = 259200
  }

  assert {
    condition     = output.functions.map.environment.REDUCE_LANES == "8" && output.functions.map.environment.DELTA_RETENTION_SECONDS == "259200" && output.functions.reduce.environment.REDUCE_THREADS == "16"
    error_message = "Map must know the number of lanes and how long its rows are kept, Reduce with how many threads it writes."
  }
}

run "wires_each_function_to_its_source" {
  assert {
    condition     = output.functions.map.event_source_arn == var.table.stream_arn && output.functions.reduce.event_source_arn == output.tables.reduce.stream_arn
    error_message = "Map reads the source table's stream, Reduce reads ReduceTable's."
  }
}

run "keeps_a_lanes_records_in_one_line_of_shards" {
  assert {
    condition     = keys(output.tables.reduce.index_arns) == ["OneCollection"]
    error_message = "ReduceTable must have the local index: without one DynamoDB may split a lane over partitions, and Reduce would lose changes."
  }
}

run "lets_map_write_deltas_and_register_shards_and_quarantine_and_nothing_else" {
  assert {
    condition = [for statement in jsondecode(output.functions.map.policy).Statement : statement.Resource if statement.Sid == "ReadStream"] == [[var.table.stream_arn]] && !anytrue([
      for resource in flatten(jsondecode(output.functions.map.policy).Statement[*].Resource) : resource == var.table.arn
    ])
    error_message = "MapLambda reads the source table's stream, and nothing of the table."
  }

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

run "keeps_a_row_for_two_days_by_default" {
  assert {
    condition     = output.functions.map.environment.DELTA_RETENTION_SECONDS == "172800"
    error_message = "A row must outlive the 24 hours of its source by far."
  }
}

run "checks_health_every_five_minutes" {
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
    condition     = jsondecode(output.functions.health.environment.MAPPINGS) == { MapLambda = "3a3a", ReduceLambda = "4e4e" }
    error_message = "The function must know both mappings."
  }

  assert {
    condition     = jsondecode(output.functions.health.environment.TABLES) == { map = "Feedback", reduce = "ReduceTable" } && output.functions.health.environment.REGISTRY_TABLE == "RegistryTable"
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
        "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:3a3a",
        "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:4e4e",
      ]]
      Tables = [["dynamodb:DescribeTable"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/Feedback", "arn:aws:dynamodb:eu-west-1:111111111111:table/ReduceTable"]]
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
    condition     = { for alarm in values(aws_cloudwatch_metric_alarm.health) : alarm.alarm_name => "${alarm.metric_name} ${alarm.evaluation_periods}" } == { Meters-HealthLambda-rebuild-open = "RebuildOpen 3", Meters-HealthLambda-mappings-off = "MappingsOff 3", Meters-HealthLambda-stood-still = "StoodStill 1", Meters-HealthLambda-streams-not-settled = "StreamsNotSettled 1" }
    error_message = "There must be an alarm for each of the four."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.health) : alarm.namespace == "LEDA" && alarm.dimensions == tomap({ service = "HealthLambda", function_name = "Meters-HealthLambda" }) && alarm.threshold == 0 && alarm.treat_missing_data == "ignore" && tolist(alarm.alarm_actions) == tolist(var.alarm_actions)])
    error_message = "The alarms must watch what the function emits, the topic must hear of them, and time alone must not end one."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.health) : strcontains(alarm.alarm_description, "`leda rebuild --map-function Meters-MapLambda`")])
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

run "has_its_dashboard_under_the_prefix" {
  assert {
    condition     = aws_cloudwatch_dashboard.this[0].dashboard_name == "LEDA"
    error_message = "Without a suffix the dashboard must keep its name."
  }
}

run "lets_another_region_of_the_account_have_the_same_names" {
  variables {
    settings = { packages = { directory = "../function/tests/packages" }, global_name_suffix = "-eu-central-1" }
    audit    = { schedule_expression = "rate(1 hour)" }
  }

  assert {
    condition     = aws_cloudwatch_dashboard.this[0].dashboard_name == "LEDA-eu-central-1"
    error_message = "Dashboards are the account's: the second Region's must not overwrite the first one's."
  }

  assert {
    condition     = alltrue([for function in values(output.functions) : function.role_name == "${function.name}-eu-central-1"])
    error_message = "The role of each function must have the suffix, and no function."
  }
}

run "audits_once_a_day_unless_told" {
  variables {
    audit = { memory_mb = 2048 }
  }

  assert {
    condition     = output.functions.audit.name == "AuditLambda" && aws_cloudwatch_event_rule.audit[0].schedule_expression == "rate(1 day)"
    error_message = "Wrong totals must be found without anybody having asked."
  }
}

run "audits_nothing_if_told" {
  variables {
    audit = null
  }

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
      ReadTables    = [["dynamodb:Scan"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/Feedback", "arn:aws:dynamodb:eu-west-1:111111111111:table/AggregateTable"]]
      DescribeTable = [["dynamodb:DescribeTable"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/Feedback"]]
      Registry      = [["dynamodb:GetItem"], ["arn:aws:dynamodb:eu-west-1:111111111111:table/RegistryTable"]]
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

run "watches_the_number_of_totals_where_told" {
  variables {
    audit = {}
    group_by = {
      daily = { keys = ["date"], max_totals = 5000 }
      users = { keys = ["user"] }
    }
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition     = jsondecode(output.functions.audit.environment.MAX_TOTALS) == { daily = 5000 }
    error_message = "AuditLambda must know the limits that were given, and no others."
  }

  assert {
    condition     = !strcontains(output.functions.map.environment.CONFIGURATION, "max_totals")
    error_message = "A limit decides nothing of what a change adds, so it must not change the configuration's version."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.too_many_totals[0].metric_name == "GroupingsOverLimit" && aws_cloudwatch_metric_alarm.too_many_totals[0].dimensions == tomap({ service = "AuditLambda", function_name = "AuditLambda" }) && aws_cloudwatch_metric_alarm.too_many_totals[0].treat_missing_data == "ignore" && tolist(aws_cloudwatch_metric_alarm.too_many_totals[0].alarm_actions) == tolist(var.alarm_actions)
    error_message = "The alarm must watch the metric that the function emits, and time alone must not end it."
  }
}

run "watches_no_number_of_totals_unless_told" {
  variables {
    audit = {}
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.too_many_totals) == 0 && !contains(keys(output.functions.audit.environment), "MAX_TOTALS")
    error_message = "Without max_totals there is nothing to watch."
  }
}

run "refuses_a_limit_that_nobody_watches" {
  command = plan

  variables {
    audit    = null
    group_by = { daily = { keys = ["date"], max_totals = 5000 } }
  }

  expect_failures = [var.group_by]
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

run "refuses_no_lanes" {
  command = plan

  variables {
    reduce_lanes = 0
  }

  expect_failures = [var.reduce_lanes]
}

run "refuses_a_setting_that_nobody_knows" {
  command = plan

  variables {
    settings = { packages = { directory = "../function/tests/packages" }, log_levl = "INFO" }
  }

  expect_failures = [output.functions]
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

run "refuses_no_grouping" {
  command = plan

  variables {
    group_by = {}
  }

  expect_failures = [var.group_by]
}

run "refuses_both_groupings_and_a_ready_path" {
  command = plan

  variables {
    hierarchy_path = "Path"
  }

  expect_failures = [var.group_by]
}

run "refuses_a_groupings_name_with_a_colon" {
  command = plan

  variables {
    group_by = { "by:day" = { keys = ["date"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_groupings_name_of_65_characters" {
  command = plan

  variables {
    group_by = { abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm = { keys = ["date"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_measure_named_expiresat" {
  command = plan

  variables {
    measures = { ExpiresAt = { op = "count" } }
  }

  expect_failures = [var.measures]
}

run "refuses_more_than_lambdas_environment_holds" {
  command = plan

  variables {
    group_by = { for number in range(60) : "grouping${number}" => { keys = ["attribute${number}"], missing = { "attribute${number}" = "unknown" } } }
  }

  expect_failures = [output.functions]
}

run "refuses_a_misspelt_attribute_of_a_grouping" {
  command = plan

  variables {
    group_by = { daily = { keys = ["date"] }, urgent = { keys = ["date"], wher = { urgency = ["high"] } } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_misspelt_attribute_of_a_measure" {
  command = plan

  variables {
    measures = { Score = { op = "sum", field = "score", mising = 0 } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_rollup_that_is_a_word" {
  command = plan

  variables {
    group_by = { daily = { keys = ["date"] }, urgent = { keys = ["region", "date"], rollup = "often" } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_limit_that_is_a_word" {
  command = plan

  variables {
    group_by = { daily = { keys = ["date"], max_totals = "many" } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_grouping_that_is_null" {
  command = plan

  variables {
    group_by = { daily = null }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_group_by_that_is_a_string" {
  command = plan

  variables {
    group_by = "daily"
  }

  expect_failures = [var.group_by]
}

run "refuses_a_measure_that_is_a_string" {
  command = plan

  variables {
    measures = { Count = "count" }
  }

  expect_failures = [var.measures]
}

run "refuses_no_measure" {
  command = plan

  variables {
    measures = {}
  }

  expect_failures = [var.measures]
}

run "refuses_a_measures_name_with_a_hyphen" {
  command = plan

  variables {
    measures = { "Sum-1" = { op = "count" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_measure_named_identifier" {
  command = plan

  variables {
    measures = { Identifier = { op = "count" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_measure_named_grouping" {
  command = plan

  variables {
    measures = { Grouping = { op = "count" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_measure_named_keys" {
  command = plan

  variables {
    measures = { Keys = { op = "count" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_measure_named_parent" {
  command = plan

  variables {
    measures = { Parent = { op = "count" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_measure_named_applied1" {
  command = plan

  variables {
    measures = { Applied1 = { op = "count" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_measure_named_as_the_totals_key" {
  command = plan

  variables {
    totals_key = "Username"
    measures   = { Username = { op = "count" } }
  }

  expect_failures = [var.measures]
}

run "refuses_an_unknown_way_to_expire" {
  command = plan

  variables {
    on_expiry = "ignore"
    audit     = null
  }

  expect_failures = [var.on_expiry]
}

run "refuses_an_unknown_form_of_identifiers" {
  command = plan

  variables {
    identifiers = "short"
  }

  expect_failures = [var.identifiers]
}

run "refuses_plain_identifiers_as_the_sort_key_of_an_index" {
  command = plan

  variables {
    identifiers = "plain"
    group_by    = { daily = { keys = ["date"] } }
    indexes     = { children = true }
  }

  expect_failures = [var.indexes]
}

run "refuses_a_totals_key_that_another_attribute_has" {
  command = plan

  variables {
    totals_key = "Parent"
  }

  expect_failures = [var.totals_key]
}

run "refuses_a_totals_key_with_a_quotation_mark" {
  command = plan

  variables {
    totals_key = "the \"key\""
  }

  expect_failures = [var.totals_key]
}

run "refuses_an_index_on_what_is_no_measure" {
  command = plan

  variables {
    indexes = { top = ["Sentiment"] }
  }

  expect_failures = [var.indexes]
}

run "refuses_an_index_twice" {
  command = plan

  variables {
    indexes = { top = ["Count", "Count"] }
  }

  expect_failures = [var.indexes]
}

run "refuses_more_indexes_than_a_table_has" {
  command = plan

  variables {
    measures = { for number in range(21) : "M${number}" => { op = "count" } }
    indexes  = { top = [for number in range(21) : "M${number}"] }
  }

  expect_failures = [var.indexes]
}

run "refuses_values_without_digits" {
  command = plan

  variables {
    limits = { max_integer_digits = 0 }
  }

  expect_failures = [var.limits]
}

run "refuses_values_whose_sum_would_not_fit_a_number" {
  command = plan

  variables {
    limits = { max_integer_digits = 13 }
  }

  expect_failures = [var.limits]
}

run "refuses_an_unknown_backfill" {
  command = plan

  variables {
    backfill = "later"
  }

  expect_failures = [var.backfill]
}

run "refuses_an_audit_of_totals_that_the_table_does_not_hold" {
  command = plan

  variables {
    on_expiry = "keep"
    audit     = {}
  }

  expect_failures = [var.group_by]
}

run "watches_max_totals_of_totals_that_the_table_does_not_hold" {
  command = plan

  variables {
    on_expiry = "keep"
    audit     = {}
    group_by  = { daily = { keys = ["date"], max_totals = 5000 } }
  }

  assert {
    condition     = length(module.audit_function) == 1 && length(aws_cloudwatch_metric_alarm.too_many_totals) == 1 && length(aws_cloudwatch_metric_alarm.audit_failed) == 1
    error_message = "To count the totals takes no source table, so they must be watched with on_expiry = keep, too."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.drift) == 0
    error_message = "There is no drift to ring an alarm for where nothing can be compared."
  }
}

run "refuses_a_prefix_that_does_not_fit_the_buckets_name" {
  command = plan

  variables {
    name_prefix = "a-prefix-of-21-letters"
  }

  expect_failures = [var.name_prefix]
}

run "refuses_a_table_without_a_stream" {
  command = plan

  variables {
    table = { name = "Feedback", arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Feedback", stream_arn = "" }
  }

  expect_failures = [var.table]
}

run "refuses_the_stream_of_another_table" {
  command = plan

  variables {
    table = { name = "Feedback", arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Feedback", stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Orders/stream/2025-01-01T00:00:00.000" }
  }

  expect_failures = [var.table]
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

run "refuses_capacity_of_a_table_that_it_does_not_have" {
  command = plan

  variables {
    capacity = { totals = { read = { min = 1, max = 10 }, write = { min = 1, max = 10 } } }
  }

  expect_failures = [var.capacity]
}
