locals {
  # Lambda reads the stream with the function's role.
  # https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html, https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
  read_actions = {
    kinesis = [
      "kinesis:DescribeStream",
      "kinesis:DescribeStreamSummary",
      "kinesis:GetRecords",
      "kinesis:GetShardIterator",
      "kinesis:ListShards",
    ]
    dynamodb = [
      "dynamodb:DescribeStream",
      "dynamodb:GetRecords",
      "dynamodb:GetShardIterator",
      "dynamodb:ListStreams",
    ]
  }

  needs_window = var.exactly_once && var.event_source.kind == "dynamodb"

  # The functions quarantine a record that they cannot process, so a batch that fails has met a failing service: what is
  # in it is worth every retry. An hour before the stream forgets a record, the mapping sends it to the failure
  # destination; later there would be nothing to send. Lambda knows no longer age than a week.
  # https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
  longest_age_seconds = min(604800, (var.event_source.retention_hours - 1) * 3600)

  half_retention_ms = var.event_source.retention_hours * 3600 * 1000 / 2

  quarantine_environment = var.quarantines ? { QUARANTINE_BUCKET = var.quarantine_bucket.name } : {}
  quarantine_statements = !var.quarantines ? [] : [{
    sid       = "Quarantine"
    actions   = ["s3:PutObject"]
    resources = ["${var.quarantine_bucket.arn}/${var.name}/*"]
  }]
}

module "function" {
  source = "../function"

  name                 = var.name
  service              = var.service
  description          = var.description
  package              = var.package
  memory_mb            = var.function.memory_mb
  timeout_seconds      = var.function.timeout_seconds
  reserved_concurrency = var.function.reserved_concurrency
  environment          = merge(var.environment, local.quarantine_environment)
  settings             = var.settings
  kms_key_arn          = var.kms_key_arn
  alarm_actions        = var.alarm_actions
  tags                 = var.tags

  policy_statements = concat(var.policy_statements, [
    {
      sid       = "ReadStream"
      actions   = local.read_actions[var.event_source.kind]
      resources = [var.event_source.arn]
    },
    {
      # Lambda writes with the function's role, under aws/lambda/<mapping>/<shard>/, and lists the bucket.
      # https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
      sid       = "FailureDestination"
      actions   = ["s3:PutObject"]
      resources = ["${var.quarantine_bucket.arn}/aws/lambda/*"]
    },
    {
      sid       = "FailureDestinationBucket"
      actions   = ["s3:ListBucket"]
      resources = [var.quarantine_bucket.arn]
    },
  ], local.quarantine_statements)
}

resource "aws_lambda_event_source_mapping" "this" {
  function_name    = module.function.name
  event_source_arn = var.event_source.arn

  enabled                     = var.function.enabled
  starting_position           = var.function.starting_position
  starting_position_timestamp = var.function.starting_position_timestamp

  batch_size                         = var.function.batch_size
  maximum_batching_window_in_seconds = var.function.batching_window_seconds
  parallelization_factor             = var.function.parallelization_factor
  maximum_retry_attempts             = coalesce(var.function.maximum_retry_attempts, -1)
  maximum_record_age_in_seconds      = coalesce(var.function.maximum_record_age_seconds, var.exactly_once ? -1 : local.longest_age_seconds)
  bisect_batch_on_function_error     = var.function.bisect
  tumbling_window_in_seconds         = coalesce(var.function.tumbling_window_seconds, local.needs_window ? 900 : 0)
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  destination_config {
    on_failure {
      destination_arn = var.quarantine_bucket.arn
    }
  }

  dynamic "filter_criteria" {
    for_each = length(var.function.filter_patterns) == 0 ? [] : [var.function.filter_patterns]

    content {
      dynamic "filter" {
        for_each = filter_criteria.value

        content {
          pattern = filter.value
        }
      }
    }
  }

  # For the alarm on discarded records.
  metrics_config {
    metrics = ["EventCount"]
  }
}
