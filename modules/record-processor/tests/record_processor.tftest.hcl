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

  mock_resource "aws_kinesis_stream" {
    defaults = {
      arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Records"
    }
  }
}

variables {
  settings = { packages = { directory = "../function/tests/packages" } }
}

run "has_the_text_s_function_on_its_stream" {
  assert {
    condition     = output.function.name == "ProcessKinesisRecords" && output.stream.name == "Records"
    error_message = "The function must have the text's name."
  }

  assert {
    condition     = output.function.event_source_arn == output.stream.arn
    error_message = "It must read the stream."
  }

  assert {
    condition     = output.quarantine_bucket.name == "leda-records-111111111111-eu-west-1"
    error_message = "The bucket's name must hold the account and the region."
  }
}

run "puts_the_prefix_before_every_name" {
  variables {
    name_prefix = "Readings-"
  }

  assert {
    condition     = output.function.name == "Readings-ProcessKinesisRecords" && output.stream.name == "Readings-Records" && output.quarantine_bucket.name == "readings-leda-records-111111111111-eu-west-1"
    error_message = "Stream, function and bucket must begin with the prefix."
  }
}

run "may_read_its_stream_and_quarantine_and_nothing_else" {
  assert {
    condition     = toset([for statement in jsondecode(output.function.policy).Statement : statement.Sid]) == toset(["Logs", "ReadStream", "FailureDestination", "FailureDestinationBucket", "Quarantine"])
    error_message = "The role must have no right that the function does not need."
  }

  assert {
    condition     = [for statement in jsondecode(output.function.policy).Statement : statement.Resource if statement.Sid == "Quarantine"] == [["arn:aws:s3:::quarantine/ProcessKinesisRecords/*"]]
    error_message = "It may put aside under its own name only."
  }
}

run "gives_process_its_own_variables_and_rights" {
  variables {
    package     = "state" # stands for one of the caller's
    environment = { TABLE = "Readings" }
    policy_statements = [{
      sid       = "Store"
      actions   = ["dynamodb:PutItem"]
      resources = ["arn:aws:dynamodb:eu-west-1:111111111111:table/Readings"]
    }]
  }

  assert {
    condition     = output.function.environment.TABLE == "Readings" && output.function.environment.QUARANTINE_BUCKET == output.quarantine_bucket.name
    error_message = "Both the caller's variables and the module's must reach the function."
  }

  assert {
    condition     = [for statement in jsondecode(output.function.policy).Statement : statement.Action if statement.Sid == "Store"] == [["dynamodb:PutItem"]]
    error_message = "The caller's statement must be in the role's policy."
  }
}

run "refuses_a_prefix_that_no_name_can_begin_with" {
  command = plan

  variables {
    name_prefix = "1-"
  }

  expect_failures = [var.name_prefix]
}

run "refuses_to_let_the_caller_change_its_own_variables" {
  command = plan

  variables {
    environment = { QUARANTINE_BUCKET = "mine" }
  }

  expect_failures = [var.environment]
}

run "refuses_a_setting_that_nobody_knows" {
  command = plan

  variables {
    settings = { packages = { directory = "../function/tests/packages" }, log_levl = "INFO" }
  }

  expect_failures = [output.function]
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
