data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  names = {
    stream   = "${var.name_prefix}IncomingDataStream"
    state    = "${var.name_prefix}StateLambda"
    map      = "${var.name_prefix}MapLambda"
    reduce   = "${var.name_prefix}ReduceLambda"
    health   = "${var.name_prefix}HealthLambda"
    states   = "${var.name_prefix}StateTable"
    deltas   = "${var.name_prefix}ReduceTable"
    totals   = "${var.name_prefix}AggregateTable"
    registry = "${var.name_prefix}RegistryTable"
  }

  # Bucket names are shared by all of AWS, and lower case.
  quarantine_name = coalesce(
    var.quarantine_bucket_name,
    lower("${var.name_prefix}leda-quarantine-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"),
  )

  # An empty name says that the levels are at the message's top; the functions read null.
  schema = merge(var.schema, { hierarchy = var.schema.hierarchy == "" ? null : var.schema.hierarchy })

  # What Map adds up of a row of StateTable: each trade once, and its value, at every node of its path.
  configuration = {
    path = "Path"
    measures = {
      Count = { op = "count" }
      Value = { op = "sum", field = "Value" }
    }
  }

  fault_environment = var.fault_injection == null ? {} : { PARAMETER_TABLE = var.fault_injection.parameter_table_name }

  fault_statements = var.fault_injection == null ? [] : [{
    sid       = "ReadFaults"
    actions   = ["dynamodb:GetItem"]
    resources = [var.fault_injection.parameter_table_arn]
  }]
}

module "ingest_stream" {
  source = "../ingest-stream"

  name                = local.names.stream
  shard_count         = var.shard_count
  retention_hours     = var.stream_retention_hours
  producer_principals = var.producer_principals
  kms_key_arn         = var.kms_key_arn
}

# One row a trade: its newest version. The stream carries both images, because Map adds `new - old`.
module "state_table" {
  source = "../table"

  name                = local.names.states
  hash_key            = { name = "id", type = "S" }
  stream_view_type    = "NEW_AND_OLD_IMAGES"
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

# One row for each lane and each shard of StateTable's stream: what a batch of Map adds to the lane's totals, and how far Map has come with them.
module "reduce_table" {
  source = "../table"

  name      = local.names.deltas
  hash_key  = { name = "Lane", type = "S" }
  range_key = { name = "Source", type = "S" }

  # No row has the attribute Never, so the index stays empty and costs nothing. It is here because DynamoDB does not split an item
  # collection over partitions where there is a local index: so all records of a lane lie in one line of shards of the table's stream, each
  # read to its end before its child, and the positions that Reduce keeps with the totals are in order.
  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
  local_indexes = [{ name = "OneCollection", range_key = { name = "Never", type = "S" }, attributes = [] }]

  stream_view_type    = "NEW_IMAGE"
  ttl_attribute       = "ExpiresAt"
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

# The totals.
module "aggregate_table" {
  source = "../table"

  name                = local.names.totals
  hash_key            = { name = "Identifier", type = "S" }
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

# What must not depend on a deployment: the configurations by version, the version and number of lanes of each shard of StateTable's
# stream, the epoch of each shard of ReduceTable's, and the journal of a rebuild. Rows of shards expire when these have long been gone.
module "registry_table" {
  source = "../table"

  name                = local.names.registry
  hash_key            = { name = "Scope", type = "S" }
  range_key           = { name = "Name", type = "S" }
  ttl_attribute       = "ExpiresAt"
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

module "quarantine_bucket" {
  source = "../quarantine-bucket"

  name           = local.quarantine_name
  retention_days = var.quarantine_retention_days
  force_destroy  = !var.deletion_protection
  kms_key_arn    = var.kms_key_arn
}

module "state_function" {
  source = "../stream-function"

  name        = local.names.state
  description = "LEDA: keeps the newest version of each trade"
  package     = "state"

  event_source = { kind = "kinesis", arn = module.ingest_stream.arn }
  exactly_once = false # A conditional write makes every record idempotent by itself.

  mapping = {
    enabled                    = var.state_function.enabled
    batch_size                 = var.state_function.batch_size
    batching_window_seconds    = var.state_function.batching_window_seconds
    parallelization_factor     = var.state_function.parallelization_factor
    maximum_retry_attempts     = var.state_function.maximum_retry_attempts
    maximum_record_age_seconds = var.state_function.maximum_record_age_seconds
    bisect                     = var.state_function.bisect
    tumbling_window_seconds    = var.state_function.tumbling_window_seconds
  }

  environment = merge(local.fault_environment, {
    POWERTOOLS_SERVICE_NAME          = "StateLambda"
    POWERTOOLS_METRICS_NAMESPACE     = "LEDA"
    POWERTOOLS_METRICS_FUNCTION_NAME = local.names.state
    POWERTOOLS_LOG_LEVEL             = var.log_level
    STATE_TABLE                      = module.state_table.name
    QUARANTINE_BUCKET                = module.quarantine_bucket.name
    SCHEMA                           = jsonencode(local.schema)
    WRITE_THREADS                    = var.write_threads
  })

  policy_statements = concat(local.fault_statements, [
    {
      sid       = "WriteStates"
      actions   = ["dynamodb:BatchGetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"]
      resources = [module.state_table.arn]
    },
    {
      sid       = "Quarantine"
      actions   = ["s3:PutObject"]
      resources = ["${module.quarantine_bucket.arn}/${local.names.state}/*"]
    },
  ])

  memory_mb            = var.state_function.memory_mb
  timeout_seconds      = var.state_function.timeout_seconds
  reserved_concurrency = var.state_function.reserved_concurrency

  packages           = var.packages
  runtime            = var.runtime
  architecture       = var.architecture
  failure_bucket_arn = module.quarantine_bucket.arn
  freshness_seconds  = var.freshness_seconds
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  alarm_actions      = var.alarm_actions
}

module "map_function" {
  source = "../stream-function"

  name        = local.names.map
  description = "LEDA: turns changed trades into sums to add"
  package     = "map"

  event_source = { kind = "dynamodb", arn = module.state_table.stream_arn }
  exactly_once = true

  mapping = {
    enabled                    = var.map_function.enabled
    batch_size                 = var.map_function.batch_size
    batching_window_seconds    = var.map_function.batching_window_seconds
    parallelization_factor     = var.map_function.parallelization_factor
    maximum_retry_attempts     = var.map_function.maximum_retry_attempts
    maximum_record_age_seconds = var.map_function.maximum_record_age_seconds
    bisect                     = var.map_function.bisect
    tumbling_window_seconds    = var.map_function.tumbling_window_seconds
  }

  environment = merge(local.fault_environment, {
    POWERTOOLS_SERVICE_NAME          = "MapLambda"
    POWERTOOLS_METRICS_NAMESPACE     = "LEDA"
    POWERTOOLS_METRICS_FUNCTION_NAME = local.names.map
    POWERTOOLS_LOG_LEVEL             = var.log_level
    REDUCE_TABLE                     = module.reduce_table.name
    REGISTRY_TABLE                   = module.registry_table.name
    CONFIGURATION                    = jsonencode(local.configuration)
    SCHEMA                           = jsonencode(local.schema)
    QUARANTINE_BUCKET                = module.quarantine_bucket.name
    REDUCE_LANES                     = var.reduce_lanes
    DELTA_RETENTION_SECONDS          = var.delta_retention_seconds
  })

  policy_statements = concat(local.fault_statements, [
    {
      # The configurations, and each shard's version and number of lanes, put when Map first meets it.
      sid       = "Registry"
      actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
      resources = [module.registry_table.arn]
    },
    {
      sid       = "WriteDeltas"
      actions   = ["dynamodb:PutItem"]
      resources = [module.reduce_table.arn]
    },
    {
      sid       = "Quarantine"
      actions   = ["s3:PutObject"]
      resources = ["${module.quarantine_bucket.arn}/${local.names.map}/*"]
    },
  ])

  memory_mb            = var.map_function.memory_mb
  timeout_seconds      = var.map_function.timeout_seconds
  reserved_concurrency = var.map_function.reserved_concurrency

  packages           = var.packages
  runtime            = var.runtime
  architecture       = var.architecture
  failure_bucket_arn = module.quarantine_bucket.arn
  freshness_seconds  = var.freshness_seconds
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  alarm_actions      = var.alarm_actions
}

module "reduce_function" {
  source = "../stream-function"

  name        = local.names.reduce
  description = "LEDA: adds the sums to the totals"
  package     = "reduce"

  event_source = { kind = "dynamodb", arn = module.reduce_table.stream_arn }
  exactly_once = true

  mapping = {
    enabled                    = var.reduce_function.enabled
    batch_size                 = var.reduce_function.batch_size
    batching_window_seconds    = var.reduce_function.batching_window_seconds
    parallelization_factor     = var.reduce_function.parallelization_factor
    maximum_retry_attempts     = var.reduce_function.maximum_retry_attempts
    maximum_record_age_seconds = var.reduce_function.maximum_record_age_seconds
    bisect                     = var.reduce_function.bisect
    tumbling_window_seconds    = var.reduce_function.tumbling_window_seconds
    # Map replaces its rows, so a delta comes as INSERT or MODIFY. A row that expires is a REMOVE, and nothing to subtract.
    filter_patterns = [jsonencode({ eventName = ["INSERT", "MODIFY"] })]
  }

  environment = merge(local.fault_environment, {
    POWERTOOLS_SERVICE_NAME          = "ReduceLambda"
    POWERTOOLS_METRICS_NAMESPACE     = "LEDA"
    POWERTOOLS_METRICS_FUNCTION_NAME = local.names.reduce
    POWERTOOLS_LOG_LEVEL             = var.log_level
    AGGREGATE_TABLE                  = module.aggregate_table.name
    REGISTRY_TABLE                   = module.registry_table.name
    QUARANTINE_BUCKET                = module.quarantine_bucket.name
    REDUCE_THREADS                   = var.reduce_threads
  })

  policy_statements = concat(local.fault_statements, [
    {
      # Each shard's epoch, put when Reduce first meets it; UpdateItem draws it from the counter.
      sid       = "Registry"
      actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
      resources = [module.registry_table.arn]
    },
    {
      sid       = "AddToTotals"
      actions   = ["dynamodb:GetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"]
      resources = [module.aggregate_table.arn]
    },
    {
      sid       = "Quarantine"
      actions   = ["s3:PutObject"]
      resources = ["${module.quarantine_bucket.arn}/${local.names.reduce}/*"]
    },
  ])

  memory_mb            = var.reduce_function.memory_mb
  timeout_seconds      = var.reduce_function.timeout_seconds
  reserved_concurrency = var.reduce_function.reserved_concurrency

  packages           = var.packages
  runtime            = var.runtime
  architecture       = var.architecture
  failure_bucket_arn = module.quarantine_bucket.arn
  freshness_seconds  = var.freshness_seconds
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  alarm_actions      = var.alarm_actions
}

# The functions count what they quarantine (CloudWatch's embedded metric format, in their logs).
resource "aws_cloudwatch_metric_alarm" "quarantined" {
  for_each = {
    StateLambda  = module.state_function.name
    MapLambda    = module.map_function.name
    ReduceLambda = module.reduce_function.name
  }

  alarm_name        = "${each.value}-quarantined"
  alarm_description = "${each.value} put messages into quarantine: they are not in the totals. Read them under s3://${module.quarantine_bucket.name}/${each.value}/."

  namespace   = "LEDA"
  metric_name = "Quarantined"
  dimensions  = { service = each.key, function_name = each.value }
  statistic   = "Sum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
}

# Rows of a lane are one item collection, which holds 10 GB: beyond that DynamoDB refuses Map's writes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html#LSI.ItemCollections
resource "aws_cloudwatch_metric_alarm" "lane_gigabytes" {
  alarm_name        = "${local.names.map}-lane-gigabytes"
  alarm_description = "A lane of ${module.reduce_table.name} nears the 10 GB that DynamoDB lets it hold; beyond, ${local.names.map} cannot write. Raise reduce_lanes or lower delta_retention_seconds and run `terraform apply`."

  namespace   = "LEDA"
  metric_name = "LaneGigabytes"
  dimensions  = { service = "MapLambda", function_name = module.map_function.name }
  statistic   = "Maximum"
  period      = 300

  comparison_operator = "GreaterThanThreshold"
  threshold           = 8
  evaluation_periods  = 1
  # While Map writes nothing the lane is as large as before.
  treat_missing_data = "ignore"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
}
