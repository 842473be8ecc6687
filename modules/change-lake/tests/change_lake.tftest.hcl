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

  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::shop-lake"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::111111111111:role/shop-delivery"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-west-1:111111111111:log-group:/aws/kinesisfirehose/shop"
    }
  }

  mock_resource "aws_glue_catalog_database" {
    defaults = {
      arn = "arn:aws:glue:eu-west-1:111111111111:database/shop"
    }
  }

  mock_resource "aws_glue_catalog_table" {
    defaults = {
      arn = "arn:aws:glue:eu-west-1:111111111111:table/shop/changes"
    }
  }
}

variables {
  name        = "shop"
  bucket_name = "shop-lake"
  columns     = [{ name = "sequence_number", type = "string" }, { name = "amount", type = "bigint" }]
  queries     = { "everything" = { description = "All changes", sql = "SELECT * FROM changes" } }
}

run "writes_parquet_by_day_where_the_table_looks_for_it_and_nothing_else" {
  assert {
    condition     = aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].prefix == "changes/day=!{timestamp:yyyy-MM-dd}/" && aws_glue_catalog_table.changes.parameters["storage.location.template"] == "s3://shop-lake/changes/day=$${day}/"
    error_message = "Firehose must write a day's changes where Athena reads them."
  }

  assert {
    condition     = length(aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].data_format_conversion_configuration[0].output_format_configuration[0].serializer[0].parquet_ser_de) == 1 && aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].buffering_size >= 64
    error_message = "Changes must be Parquet, which needs a buffer of 64 MB."
  }

  assert {
    condition     = aws_glue_catalog_table.changes.parameters["projection.enabled"] == "true" && aws_glue_catalog_table.changes.parameters["projection.day.range"] == "2025-01-01,NOW" && [for column in aws_glue_catalog_table.changes.storage_descriptor[0].columns : column.name] == ["sequence_number", "amount"]
    error_message = "The table must have the columns asked for, and days without a crawler."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.delivery.policy).Statement : statement.Sid => statement.Resource } == {
      Bucket  = ["arn:aws:s3:::shop-lake"]
      Objects = ["arn:aws:s3:::shop-lake/changes/*", "arn:aws:s3:::shop-lake/errors/*"]
      Schema  = ["arn:aws:glue:eu-west-1:111111111111:catalog", "arn:aws:glue:eu-west-1:111111111111:database/shop", "arn:aws:glue:eu-west-1:111111111111:table/shop/changes"]
      Logs    = ["arn:aws:logs:eu-west-1:111111111111:log-group:/aws/kinesisfirehose/shop:log-stream:delivery"]
    }
    error_message = "The role must reach its prefixes, its table and its log only."
  }

  assert {
    condition = jsondecode(aws_iam_role.delivery.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Service = "firehose.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
    error_message = "The role's trust must be the one that Firehose's guide gives: a condition on what Firehose does not send would keep it out."
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.this.server_side_encryption[0].enabled
    error_message = "Changes must be encrypted while they wait."
  }
}

run "lets_another_region_of_the_account_have_the_same_lake" {
  variables {
    settings = { global_name_suffix = "-eu-central-1" }
  }

  assert {
    condition     = aws_iam_role.delivery.name == "shop-delivery-eu-central-1" && aws_kinesis_firehose_delivery_stream.this.name == "shop"
    error_message = "Names of roles are the account's, so the role must have the suffix; what is the Region's own must not."
  }
}

run "refuses_a_suffix_that_makes_the_role_s_name_too_long" {
  command = plan

  variables {
    settings = { global_name_suffix = "-eu-central-1" }
    name     = "a-lake-whose-name-takes-most-of-what-a-role-may"
  }

  expect_failures = [var.settings]
}

run "refuses_a_suffix_that_no_name_may_have" {
  command = plan

  variables {
    settings = { global_name_suffix = ".eu" }
  }

  expect_failures = [var.settings]
}

run "keeps_what_does_not_fit_and_limits_what_a_query_may_scan" {
  variables {
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
    scan_limit_mb = 100
  }

  assert {
    condition     = startswith(aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].error_output_prefix, "errors/") && aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].cloudwatch_logging_options[0].enabled
    error_message = "Lines that do not fit must be kept apart from the table, with a log."
  }

  assert {
    condition     = tolist(aws_cloudwatch_metric_alarm.unconverted.alarm_actions) == tolist(var.alarm_actions) && tolist(aws_cloudwatch_metric_alarm.late.alarm_actions) == tolist(var.alarm_actions) && aws_cloudwatch_metric_alarm.late.threshold == 900
    error_message = "Lines that do not fit and changes that are late must reach the topic."
  }

  assert {
    condition     = aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration && aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 104857600
    error_message = "Nobody must be able to scan more, or to set the limit aside."
  }

  assert {
    condition     = aws_athena_workgroup.this.configuration[0].result_configuration[0].output_location == "s3://shop-lake/results/" && aws_athena_workgroup.this.configuration[0].result_configuration[0].encryption_configuration[0].encryption_option == "SSE_S3"
    error_message = "Results must be encrypted, in the lake's bucket."
  }

  assert {
    condition     = aws_athena_named_query.this["everything"].query == "SELECT * FROM changes" && !aws_athena_workgroup.this.force_destroy
    error_message = "Queries must be saved in a workgroup that is not removed with them."
  }
}

run "uses_an_own_key_everywhere" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:111111111111:key/0b0b"
  }

  assert {
    condition = (
      aws_kinesis_firehose_delivery_stream.this.server_side_encryption[0].key_arn == var.kms_key_arn
      && aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].kms_key_arn == var.kms_key_arn
      && aws_athena_workgroup.this.configuration[0].result_configuration[0].encryption_configuration[0].kms_key_arn == var.kms_key_arn
      && aws_cloudwatch_log_group.delivery.kms_key_id == var.kms_key_arn
    )
    error_message = "Stream, objects, results and log must be encrypted with the own key."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.delivery.policy).Statement : [statement.Resource, statement.Condition.StringEquals["kms:ViaService"]] if statement.Sid == "OwnKey"] == [[["arn:aws:kms:eu-west-1:111111111111:key/0b0b"], "s3.eu-west-1.amazonaws.com"]]
    error_message = "Firehose must be able to use the key."
  }
}

run "refuses_days_that_no_log_group_has" {
  command = plan

  variables {
    settings = { log_retention_days = 2 }
  }

  expect_failures = [var.settings]
}

run "refuses_values_that_aws_refuses_or_that_lose_changes" {
  command = plan

  variables {
    name              = "shop changes"
    columns           = [{ name = "amount", type = "bigint" }]
    first_day         = "2026-02-31"
    buffering_seconds = 3600
    scan_limit_mb     = 1
    kms_key_arn       = "alias/mine"
    alarm_actions     = ["ops@example.org"]
  }

  expect_failures = [
    var.name,
    var.columns,
    var.first_day,
    var.buffering_seconds,
    var.scan_limit_mb,
    var.kms_key_arn,
    var.alarm_actions,
  ]
}

run "refuses_a_column_that_glue_would_rename" {
  command = plan

  variables {
    columns = [{ name = "sequence_number", type = "string" }, { name = "orderId", type = "string" }]
  }

  expect_failures = [var.columns]
}
