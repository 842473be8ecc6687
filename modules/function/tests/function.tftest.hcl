mock_provider "aws" {
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

  mock_data "aws_s3_objects" {
    defaults = {
      keys = ["packages.json", "releases/1.2.3/packages.json"]
    }
  }

  mock_data "aws_s3_object" {
    defaults = {
      body = "{\"state\": {\"file\": \"state.zip\", \"key\": \"state-0123456789abcdef.zip\", \"base64sha256\": \"q83vEjRWeJASNFZ4kKvN7xI0VniQEjRWeJCrze8SNFY=\"}}"
    }
  }
}

variables {
  settings = { packages = { directory = "tests/packages" } }
  name     = "Function"
  package  = "state"
  service  = "Service"
}

run "takes_the_code_from_a_folder" {
  assert {
    condition     = aws_lambda_function.this.filename == "tests/packages/state.zip" && aws_lambda_function.this.source_code_hash == filebase64sha256("tests/packages/state.zip")
    error_message = "The code must be the folder's zip, known by its digest."
  }

  assert {
    condition     = length(data.aws_s3_object.manifest) == 0
    error_message = "With a folder nothing must be read from S3."
  }

  assert {
    condition     = aws_lambda_function.this.runtime == "python3.13" && tolist(aws_lambda_function.this.architectures) == tolist(["arm64"]) && aws_lambda_function.this.handler == "handler.lambda_handler"
    error_message = "The defaults must be Python 3.13 on arm64 and handler.lambda_handler."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "No concurrency must be reserved by default."
  }
}

run "takes_the_code_that_the_manifest_in_a_bucket_names" {
  variables {
    settings = { packages = { bucket = "artifacts", prefix = "releases/1.2.3" } }
  }

  assert {
    condition     = aws_lambda_function.this.s3_bucket == "artifacts" && aws_lambda_function.this.s3_key == "releases/1.2.3/state-0123456789abcdef.zip"
    error_message = "The code must be the object that the manifest names, under the prefix."
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == "q83vEjRWeJASNFZ4kKvN7xI0VniQEjRWeJCrze8SNFY="
    error_message = "A plan must see changed code by the manifest's digest."
  }

  assert {
    condition     = aws_lambda_function.this.filename == null
    error_message = "With a bucket no local file must be read."
  }
}

run "takes_a_prefix_with_slashes_at_its_ends" {
  variables {
    settings = { packages = { bucket = "artifacts", prefix = "/releases/1.2.3/" } }
  }

  assert {
    condition     = aws_lambda_function.this.s3_key == "releases/1.2.3/state-0123456789abcdef.zip"
    error_message = "Slashes at a prefix's ends must not become part of the key."
  }
}

run "grants_no_use_of_a_key_to_a_function_that_calls_no_service" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:111111111111:key/0b0b"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[*].Sid == ["Logs"]
    error_message = "CloudWatch Logs uses the key by the key's policy; the role needs nothing of it."
  }
}

run "has_a_role_under_the_function_s_name" {
  assert {
    condition     = aws_iam_role.this.name == "Function"
    error_message = "Without a suffix the role must keep its name: another one would replace it."
  }
}

run "lets_another_region_of_the_account_have_the_same_function" {
  variables {
    settings = { packages = { directory = "tests/packages" }, global_name_suffix = "-eu-central-1" }
  }

  assert {
    condition     = aws_iam_role.this.name == "Function-eu-central-1" && aws_iam_role_policy.this.role == "Function-eu-central-1"
    error_message = "Names of roles are the account's, so the role must have the suffix."
  }

  assert {
    condition     = aws_lambda_function.this.function_name == "Function" && aws_cloudwatch_log_group.this.name == "/aws/lambda/Function"
    error_message = "What is the Region's own must keep its name."
  }
}

run "refuses_a_suffix_that_makes_the_role_s_name_too_long" {
  command = plan

  variables {
    settings = { packages = { directory = "tests/packages" }, global_name_suffix = "-eu-central-1" }
    name     = "a-function-whose-name-takes-most-of-what-a-role-may-have"
  }

  expect_failures = [var.settings]
}

run "refuses_a_suffix_that_no_name_may_have" {
  command = plan

  variables {
    settings = { packages = { directory = "tests/packages" }, global_name_suffix = ".eu" }
  }

  expect_failures = [var.settings]
}

run "may_write_its_logs_and_nothing_else_by_default" {
  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [{
      Sid      = "Logs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:aws:logs:eu-west-1:111111111111:log-group:/aws/lambda/Function:log-stream:*"]
    }]
    error_message = "The role must be able to write the function's logs only."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/Function" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The log group must be the function's and keep logs for 30 days."
  }
}

run "has_a_role_with_the_boundary_and_the_path" {
  variables {
    settings = { packages = { directory = "tests/packages" }, permissions_boundary_arn = "arn:aws:iam::111111111111:policy/Boundary", role_path = "/leda/" }
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::111111111111:policy/Boundary" && aws_iam_role.this.path == "/leda/"
    error_message = "The account's boundary must hold for the role, and the role be where the account wants it."
  }
}

run "traces_where_it_is_told_to" {
  variables {
    settings = { packages = { directory = "tests/packages" }, tracing = true }
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "X-Ray must trace the invocations."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement[1] == {
      Sid      = "Traces"
      Effect   = "Allow"
      Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      Resource = ["*"]
    }
    error_message = "The role must be able to write traces, and nothing else."
  }
}

run "runs_in_a_vpc_whose_interfaces_its_code_cannot_touch" {
  variables {
    settings = { packages = { directory = "tests/packages" }, vpc = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] } }
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1", "subnet-2"]) && aws_lambda_function.this.vpc_config[0].security_group_ids == toset(["sg-1"])
    error_message = "The function must be in the given subnets, with the given security groups."
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : [statement.Sid, statement.Effect, toset(statement.Action)] if statement.Sid != "Logs"] == [
      for sid, effect in { NetworkInterfaces = "Allow", NetworkInterfacesNotFromCode = "Deny" } : [sid, effect, toset([
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
      ])]
    ]
    error_message = "Lambda must be able to make the interfaces with the role, and nobody else."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[2].Condition == { ArnEquals = { "lambda:SourceFunctionArn" = local.function_arn } }
    error_message = "The function's own code must be denied what Lambda is allowed."
  }
}

run "may_do_exactly_what_is_given" {
  variables {
    policy_statements = [{
      sid       = "Write"
      actions   = ["dynamodb:PutItem"]
      resources = ["arn:aws:dynamodb:eu-west-1:111111111111:table/Totals"]
    }]
    kms_key_arn = "arn:aws:kms:eu-west-1:111111111111:key/0b0b"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[*].Sid == ["Logs", "OwnKey", "Write"]
    error_message = "The role must have the logs, the own key and the given statements."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[1].Resource == ["arn:aws:kms:eu-west-1:111111111111:key/0b0b"]
    error_message = "The role must be able to use the own key, and no other."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[1].Condition == { StringEquals = { "kms:ViaService" = ["dynamodb.eu-west-1.amazonaws.com"] } }
    error_message = "The key must serve the role only by way of the services that it may call."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "Logs must be encrypted with the own key."
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.kms_key_arn
    error_message = "The environment must be encrypted with the own key."
  }
}

run "may_do_what_is_given_under_its_conditions" {
  variables {
    policy_statements = [{
      sid        = "Key"
      actions    = ["kms:Decrypt"]
      resources  = ["arn:aws:kms:eu-west-1:111111111111:key/0b0b"]
      conditions = { StringEquals = { "kms:ViaService" = ["dynamodb.eu-west-1.amazonaws.com"] } }
    }]
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[1].Condition == { StringEquals = { "kms:ViaService" = ["dynamodb.eu-west-1.amazonaws.com"] } }
    error_message = "The statement must hold under its condition only."
  }

  assert {
    condition     = !contains(keys(jsondecode(aws_iam_role_policy.this.policy).Statement[0]), "Condition")
    error_message = "A statement without conditions must have none."
  }
}

run "alarms_on_errors_and_throttles" {
  variables {
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition = alltrue([for alarm in [aws_cloudwatch_metric_alarm.errors, aws_cloudwatch_metric_alarm.throttles] :
      alarm.namespace == "AWS/Lambda" && alarm.threshold == 0 && tolist(alarm.alarm_actions) == tolist(var.alarm_actions)
    ])
    error_message = "Errors and throttles must reach the topic."
  }
}

run "refuses_a_folder_without_the_package_and_says_what_to_run" {
  command = plan

  variables {
    settings = { packages = { directory = "tests/nothing" } }
  }

  expect_failures = [aws_lambda_function.this]
}

run "refuses_a_bucket_without_the_manifest_and_says_what_to_run" {
  command = plan

  variables {
    settings = { packages = { bucket = "artifacts", prefix = "elsewhere" } }
  }

  expect_failures = [data.aws_s3_objects.manifest]
}

run "refuses_a_manifest_without_the_package_and_says_what_to_run" {
  command = plan

  variables {
    settings = { packages = { bucket = "artifacts", prefix = "releases/1.2.3" } }
    package  = "map"
  }

  expect_failures = [aws_lambda_function.this]
}

run "refuses_a_folder_and_a_bucket_at_once" {
  command = plan

  variables {
    settings = { packages = { directory = "tests/packages", bucket = "artifacts" } }
  }

  expect_failures = [var.settings]
}

run "takes_null_for_what_is_not_there" {
  command = plan

  variables {
    settings = { packages = { directory = null, prefix = null } }
    package  = "never_built"
  }

  # The default folder is the checkout's own, which may hold packages or none yet, but never this one.
  assert {
    condition     = length(data.aws_s3_objects.manifest) == 0 && endswith(local.directory, "/../../build")
    error_message = "Without a folder and a bucket the packages must be those of the checkout."
  }

  expect_failures = [aws_lambda_function.this]
}

run "refuses_a_bucket_that_is_null" {
  command = plan

  variables {
    settings = { packages = { bucket = null } }
  }

  expect_failures = [var.settings]
}

run "refuses_what_is_not_of_packages" {
  command = plan

  variables {
    settings = { packages = { folder = "tests/packages" } }
  }

  expect_failures = [var.settings]
}

run "refuses_a_prefix_without_a_bucket" {
  command = plan

  variables {
    settings = { packages = { prefix = "releases" } }
  }

  expect_failures = [var.settings]
}

run "refuses_an_action_with_a_wildcard" {
  command = plan

  variables {
    policy_statements = [{ sid = "All", actions = ["dynamodb:*"], resources = ["arn:aws:dynamodb:eu-west-1:111111111111:table/Totals"] }]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_every_resource" {
  command = plan

  variables {
    policy_statements = [{ sid = "All", actions = ["dynamodb:PutItem"], resources = ["*"] }]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_every_table" {
  command = plan

  variables {
    policy_statements = [{ sid = "All", actions = ["dynamodb:PutItem"], resources = ["arn:aws:dynamodb:eu-west-1:111111111111:table/*"] }]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_a_name_that_lambda_refuses" {
  command = plan

  variables {
    name = "a function"
  }

  expect_failures = [var.name]
}

run "refuses_a_runtime_that_the_code_does_not_run_on" {
  command = plan

  variables {
    settings = { packages = { directory = "tests/packages" }, runtime = "python3.10" }
  }

  expect_failures = [var.settings]
}

run "refuses_an_unknown_processor" {
  command = plan

  variables {
    settings = { packages = { directory = "tests/packages" }, architecture = "riscv" }
  }

  expect_failures = [var.settings]
}

run "refuses_too_little_memory" {
  command = plan

  variables {
    memory_mb = 64
  }

  expect_failures = [var.memory_mb]
}

run "refuses_a_timeout_above_a_quarter_of_an_hour" {
  command = plan

  variables {
    timeout_seconds = 901
  }

  expect_failures = [var.timeout_seconds]
}

run "refuses_a_concurrency_that_stops_the_function" {
  command = plan

  variables {
    reserved_concurrency = 0
  }

  expect_failures = [var.reserved_concurrency]
}

run "refuses_a_log_retention_that_cloudwatch_does_not_know" {
  command = plan

  variables {
    settings = { packages = { directory = "tests/packages" }, log_retention_days = 31 }
  }

  expect_failures = [var.settings]
}

run "refuses_an_unknown_log_level" {
  command = plan

  variables {
    settings = { log_level = "TRACE" }
  }

  expect_failures = [var.settings]
}

run "refuses_a_vpc_without_a_security_group" {
  command = plan

  variables {
    settings = { vpc = { subnet_ids = ["subnet-1"], security_group_ids = [] } }
  }

  expect_failures = [var.settings]
}

run "refuses_a_boundary_that_is_no_policy" {
  command = plan

  variables {
    settings = { permissions_boundary_arn = "arn:aws:iam::111111111111:role/Boundary" }
  }

  expect_failures = [var.settings]
}

run "refuses_a_path_that_iam_refuses" {
  command = plan

  variables {
    settings = { role_path = "leda" }
  }

  expect_failures = [var.settings]
}

run "refuses_a_key_that_is_no_arn" {
  command = plan

  variables {
    kms_key_arn = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_an_alarm_action_that_is_no_topic" {
  command = plan

  variables {
    alarm_actions = ["someone@example.com"]
  }

  expect_failures = [var.alarm_actions]
}
