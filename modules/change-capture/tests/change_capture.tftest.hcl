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

  mock_resource "aws_sns_topic" {
    defaults = {
      arn = "arn:aws:sns:eu-west-1:111111111111:dynamodb-stream-capture"
    }
  }

  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn        = "arn:aws:dynamodb:eu-west-1:111111111111:table/Users"
      stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Users/stream/2025-01-01T00:00:00.000"
    }
  }

  mock_data "aws_dynamodb_table" {
    defaults = {
      arn              = "arn:aws:dynamodb:eu-west-1:111111111111:table/Orders"
      hash_key         = "order-id"
      stream_view_type = "NEW_AND_OLD_IMAGES"
    }
  }
}

variables {
  settings = { packages = { directory = "../function/tests/packages" } }
}

run "captures_the_users_table_with_the_names_of_the_text" {
  assert {
    condition     = output.table == { name = "Users", arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Users", stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Users/stream/2025-01-01T00:00:00.000", partition_key = "user_id" }
    error_message = "Without a table the module makes Users."
  }

  assert {
    condition     = { for part, function in output.functions : part => function.name } == { capture = "dynamodb-stream-capture" }
    error_message = "There is one function, with the text's name."
  }

  assert {
    condition     = output.functions.capture.event_source_arn == output.table.stream_arn
    error_message = "It must read the table's stream."
  }

  assert {
    condition     = output.quarantine_bucket.name == "leda-changes-111111111111-eu-west-1"
    error_message = "The bucket's name must hold the account and the region."
  }
}

run "the_switches_are_off_unless_they_are_set" {
  assert {
    condition     = length(setintersection(keys(output.functions.capture.environment), ["TOPIC_ARN", "NOTIFY_PATTERNS", "COUNT_CHANGES"])) == 0
    error_message = "Nothing is published or counted by kind unless it is switched on."
  }

  assert {
    condition     = output.topic_arn == null && output.replica_policy == null && length(aws_sns_topic.changes) == 0
    error_message = "There is no topic and no replica unless they are switched on."
  }
}

run "may_log_read_its_stream_and_quarantine_and_nothing_else" {
  assert {
    condition     = toset([for statement in jsondecode(output.functions.capture.policy).Statement : statement.Sid]) == toset(["Logs", "ReadStream", "FailureDestination", "FailureDestinationBucket", "Quarantine"])
    error_message = "The role must have no right that the log alone does not need."
  }

  assert {
    condition     = [for statement in jsondecode(output.functions.capture.policy).Statement : statement.Resource if statement.Sid == "Quarantine"] == [["arn:aws:s3:::quarantine/dynamodb-stream-capture/*"]]
    error_message = "It may put aside under its own name only."
  }
}

run "puts_the_prefix_before_every_name" {
  variables {
    name_prefix = "Chess-"
    notify      = {}
    replica     = { table_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Copy" }
  }

  assert {
    condition     = alltrue([for part in concat([output.table], values(output.functions), tolist(aws_sns_topic.changes)) : startswith(part.name, "Chess-")])
    error_message = "Table, functions and topic must begin with the prefix."
  }

  assert {
    condition     = output.quarantine_bucket.name == "chess-leda-changes-111111111111-eu-west-1"
    error_message = "The bucket's name must begin with the prefix in lower case."
  }
}

run "captures_any_table_with_a_stream" {
  variables {
    table = { stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Orders/stream/2025-02-02T00:00:00.000" }
  }

  assert {
    condition     = output.table.name == "Orders" && output.functions.capture.event_source_arn == var.table.stream_arn && length(module.users_table) == 0
    error_message = "It must read the given stream and make no table."
  }

  assert {
    condition     = strcontains(output.query, "`keys.order-id` =")
    error_message = "The query must ask for the table's own key."
  }
}

run "refuses_a_stream_that_does_not_tell_what_an_attribute_was" {
  command = plan

  variables {
    table = { stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Orders/stream/2025-02-02T00:00:00.000" }
  }

  override_data {
    target = data.aws_dynamodb_table.given
    values = { stream_view_type = "KEYS_ONLY" }
  }

  expect_failures = [data.aws_dynamodb_table.given]
}

run "saves_a_query_that_shows_each_change_once_in_order" {
  assert {
    condition     = one(aws_cloudwatch_query_definition.changes[*].query_string) == output.query && tolist(one(aws_cloudwatch_query_definition.changes[*].log_group_names)) == tolist(["/aws/lambda/dynamodb-stream-capture"])
    error_message = "The query must look at the function's log."
  }

  assert {
    condition     = strcontains(output.query, "`keys.user_id` =") && strcontains(output.query, "| sort position asc\n| dedup event_id\n| limit")
    error_message = "Lines of one change are told by its event ID; after dedup, only limit is allowed."
  }
}

run "saves_no_query_where_none_is_wanted" {
  variables {
    saved_query = false
  }

  assert {
    condition     = length(aws_cloudwatch_query_definition.changes) == 0
    error_message = "saved_query = false saves none."
  }
}

run "notifies_through_a_topic_of_its_own" {
  variables {
    notify = {
      emails          = ["support@example.org", "you@example.org"]
      filter_patterns = ["{\"event\":[\"update\"]}", "{\"changed\":{\"plan\":{\"new\":[{\"prefix\":\"go,{\\\"\"}]}}}"]
    }
    redacted_attributes = ["password"]
  }

  assert {
    condition     = output.functions.capture.environment.TOPIC_ARN == output.topic_arn && output.topic_arn == "arn:aws:sns:eu-west-1:111111111111:dynamodb-stream-capture"
    error_message = "The function must publish to the topic."
  }

  assert {
    condition     = jsondecode(output.functions.capture.environment.NOTIFY_PATTERNS) == [{ event = ["update"] }, { changed = { plan = { new = [{ prefix = "go,{\"" }] } } }]
    error_message = "The patterns must reach the function."
  }

  assert {
    condition     = output.functions.capture.environment.REDACTED_ATTRIBUTES == "[\"password\"]"
    error_message = "The names to redact must reach the function."
  }

  assert {
    condition     = [for statement in jsondecode(output.functions.capture.policy).Statement : statement if statement.Sid == "Notify"] == [{ Sid = "Notify", Effect = "Allow", Action = ["sns:Publish"], Resource = ["arn:aws:sns:eu-west-1:111111111111:dynamodb-stream-capture"] }]
    error_message = "It may publish to this topic and no other."
  }

  assert {
    condition     = tolist(aws_sns_topic_subscription.email[*].endpoint) == tolist(["support@example.org", "you@example.org"]) && one(aws_sns_topic.changes[*].kms_master_key_id) == "alias/aws/sns"
    error_message = "The addresses must be subscribed, and the topic encrypted."
  }
}

run "notifies_through_a_given_topic" {
  variables {
    notify = { topic = { arn = "arn:aws:sns:eu-west-1:111111111111:mine" } }
  }

  assert {
    condition     = output.topic_arn == "arn:aws:sns:eu-west-1:111111111111:mine" && length(aws_sns_topic.changes) == 0 && length(aws_sns_topic_subscription.email) == 0
    error_message = "A given topic is used as it is."
  }
}

run "counts_changes_by_kind_where_it_is_wanted" {
  variables {
    metrics = {}
  }

  assert {
    condition     = output.functions.capture.environment.COUNT_CHANGES == "1"
    error_message = "The function must count."
  }
}

run "keeps_a_replica_with_a_mapping_of_its_own_that_gives_nothing_up_while_the_stream_has_it" {
  variables {
    replica = { table_arn = "arn:aws:dynamodb:us-east-1:111111111111:table/Copy", kms_key_arn = "arn:aws:kms:us-east-1:111111111111:key/abc" }
  }

  assert {
    condition     = output.functions.replica.name == "dynamodb-stream-capture-replica" && output.functions.replica.event_source_arn == output.table.stream_arn
    error_message = "The replica has its own function on the same stream."
  }

  assert {
    condition = { for name in ["REPLICA_TABLE", "REPLICA_REGION", "PLACE_ATTRIBUTE", "END_ATTRIBUTE", "TOMBSTONE_SECONDS"] : name => output.functions.replica.environment[name] } == {
      REPLICA_TABLE     = "Copy"
      REPLICA_REGION    = "us-east-1"
      PLACE_ATTRIBUTE   = "_replica_place"
      END_ATTRIBUTE     = "_replica_end"
      TOMBSTONE_SECONDS = "604800"
    }
    error_message = "The function must know the table, its Region and its marks."
  }

  assert {
    condition     = [for statement in jsondecode(output.functions.replica.policy).Statement : statement.Resource if contains(["WriteReplica", "ReplicaKey"], statement.Sid)] == [["arn:aws:dynamodb:us-east-1:111111111111:table/Copy"], ["arn:aws:kms:us-east-1:111111111111:key/abc"]]
    error_message = "It may write to the replica with its key, and to nothing else."
  }

  assert {
    condition     = [for statement in jsondecode(output.replica_policy).Statement : statement.Action] == [["dynamodb:DescribeTable", "dynamodb:PutItem"], ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]]
    error_message = "The policy for a role must name what a writer needs."
  }

  assert {
    condition     = [for document in [output.functions.replica.policy, output.replica_policy] : [for statement in jsondecode(document).Statement : statement.Condition if statement.Sid == "ReplicaKey"]] == [[{ StringEquals = { "kms:ViaService" = ["dynamodb.us-east-1.amazonaws.com"] } }], [{ StringEquals = { "kms:ViaService" = ["dynamodb.us-east-1.amazonaws.com"] } }]]
    error_message = "The replica's key must serve a writer only by way of DynamoDB in the replica's region."
  }
}

run "writes_to_another_account_by_the_tables_arn" {
  variables {
    replica = { table_arn = "arn:aws:dynamodb:eu-west-1:222222222222:table/Copy" }
  }

  assert {
    condition     = output.functions.replica.environment.REPLICA_TABLE == "arn:aws:dynamodb:eu-west-1:222222222222:table/Copy" && !contains(keys(output.functions.replica.environment), "REPLICA_ROLE_ARN")
    error_message = "Only the ARN names a table of another account."
  }
}

run "writes_to_another_account_with_a_role_of_it" {
  variables {
    replica = { table_arn = "arn:aws:dynamodb:eu-west-1:222222222222:table/Copy", role_arn = "arn:aws:iam::222222222222:role/writer" }
  }

  assert {
    condition     = output.functions.replica.environment.REPLICA_TABLE == "Copy" && output.functions.replica.environment.REPLICA_ROLE_ARN == "arn:aws:iam::222222222222:role/writer"
    error_message = "With the role, the table is one of its own account."
  }

  assert {
    condition     = length([for statement in jsondecode(output.functions.replica.policy).Statement : statement if statement.Sid == "WriteReplica"]) == 0 && [for statement in jsondecode(output.functions.replica.policy).Statement : statement.Resource if statement.Sid == "AssumeReplicaRole"] == [["arn:aws:iam::222222222222:role/writer"]]
    error_message = "The function's own role needs only to assume the other one."
  }
}

run "refuses_a_prefix_that_no_name_can_begin_with" {
  command = plan

  variables {
    name_prefix = "1-"
  }

  expect_failures = [var.name_prefix]
}

run "refuses_a_table_where_its_stream_is_needed" {
  command = plan

  variables {
    table = { stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Orders" }
  }

  expect_failures = [var.table]
}

run "refuses_a_fifo_topic" {
  command = plan

  variables {
    notify = { topic = { arn = "arn:aws:sns:eu-west-1:111111111111:mine.fifo" } }
  }

  expect_failures = [var.notify]
}

run "refuses_an_address_that_is_none" {
  command = plan

  variables {
    notify = { emails = ["support"] }
  }

  expect_failures = [var.notify]
}

run "refuses_a_pattern_that_is_no_object" {
  command = plan

  variables {
    notify = { filter_patterns = ["[\"update\"]"] }
  }

  expect_failures = [var.notify]
}

run "refuses_a_pattern_without_a_field" {
  command = plan

  variables {
    notify = { filter_patterns = ["{}"] }
  }

  expect_failures = [var.notify]
}

run "refuses_a_rule_that_the_function_does_not_know" {
  command = plan

  variables {
    notify = { filter_patterns = ["{\"event\":[\"create\",{\"wildcard\":\"*\"}]}"] }
  }

  expect_failures = [var.notify]
}

run "refuses_patterns_that_do_not_fit_the_functions_environment" {
  command = plan

  variables {
    notify = { filter_patterns = ["{\"event\":[\"${join("", [for _ in range(501) : "\U0001F600"])}\"]}"] }
  }

  expect_failures = [var.notify]
}

run "refuses_a_replica_that_is_no_table" {
  command = plan

  variables {
    replica = { table_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Copy/index/x" }
  }

  expect_failures = [var.replica]
}

run "refuses_a_role_that_is_none" {
  command = plan

  variables {
    replica = { table_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Copy", role_arn = "writer" }
  }

  expect_failures = [var.replica]
}

run "refuses_a_replicas_key_that_is_none" {
  command = plan

  variables {
    replica = { table_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Copy", kms_key_arn = "alias/mine" }
  }

  expect_failures = [var.replica]
}

run "refuses_two_marks_of_one_name" {
  command = plan

  variables {
    replica = { table_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Copy", place_attribute = "x", end_attribute = "x" }
  }

  expect_failures = [var.replica]
}

run "refuses_tombstones_that_end_before_the_stream_does" {
  command = plan

  variables {
    replica = { table_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Copy", tombstone_seconds = 86400 }
  }

  expect_failures = [var.replica]
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
