mock_provider "aws" {
  mock_resource "aws_kinesis_stream" {
    defaults = {
      arn = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades"
    }
  }
}

variables {
  name = "Trades"
}

run "is_on_demand_encrypted_and_keeps_a_week_by_default" {
  command = plan

  assert {
    condition     = aws_kinesis_stream.this.stream_mode_details[0].stream_mode == "ON_DEMAND"
    error_message = "Without a shard count the stream must be on-demand."
  }

  assert {
    condition     = aws_kinesis_stream.this.encryption_type == "KMS" && aws_kinesis_stream.this.kms_key_id == "alias/aws/kinesis"
    error_message = "The stream must be encrypted with AWS's key when no own key is given."
  }

  assert {
    condition     = aws_kinesis_stream.this.retention_period == 168
    error_message = "The stream must keep records for a week."
  }

  assert {
    condition     = length(aws_kinesis_resource_policy.producers) == 0
    error_message = "Without producers there must be no resource policy."
  }
}

run "is_provisioned_with_a_shard_count" {
  command = plan

  variables {
    shard_count = 4
  }

  assert {
    condition     = aws_kinesis_stream.this.stream_mode_details[0].stream_mode == "PROVISIONED" && aws_kinesis_stream.this.shard_count == 4
    error_message = "A shard count must make the stream provisioned."
  }
}

run "lets_named_producers_put_to_this_stream_and_nothing_else" {
  variables {
    kms_key_arn         = "arn:aws:kms:eu-west-1:111111111111:key/0b0b"
    producer_principals = ["arn:aws:iam::222222222222:role/producer"]
  }

  assert {
    condition = jsondecode(aws_kinesis_resource_policy.producers[0].policy).Statement == [{
      Sid       = "Producers"
      Effect    = "Allow"
      Principal = { AWS = ["arn:aws:iam::222222222222:role/producer"] }
      Action    = ["kinesis:DescribeStreamSummary", "kinesis:PutRecord", "kinesis:PutRecords"]
      Resource  = "arn:aws:kinesis:eu-west-1:111111111111:stream/Trades"
    }]
    error_message = "The policy must name the producers, the actions of a producer and the stream's ARN."
  }

  assert {
    condition     = aws_kinesis_stream.this.kms_key_id == var.kms_key_arn
    error_message = "The stream must use the own key."
  }
}

run "refuses_producers_of_other_accounts_without_an_own_key" {
  command = plan

  variables {
    producer_principals = ["arn:aws:iam::222222222222:role/producer"]
  }

  expect_failures = [var.producer_principals]
}

run "refuses_a_wildcard_producer" {
  command = plan

  variables {
    kms_key_arn         = "arn:aws:kms:eu-west-1:111111111111:key/0b0b"
    producer_principals = ["*"]
  }

  expect_failures = [var.producer_principals]
}

run "refuses_a_key_that_is_no_arn" {
  command = plan

  variables {
    kms_key_arn = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_a_retention_below_a_day" {
  command = plan

  variables {
    retention_hours = 23
  }

  expect_failures = [var.retention_hours]
}

run "refuses_a_retention_above_a_year" {
  command = plan

  variables {
    retention_hours = 8761
  }

  expect_failures = [var.retention_hours]
}

run "refuses_a_stream_without_shards" {
  command = plan

  variables {
    shard_count = 0
  }

  expect_failures = [var.shard_count]
}

run "refuses_a_name_that_kinesis_refuses" {
  command = plan

  variables {
    name = "a stream"
  }

  expect_failures = [var.name]
}
