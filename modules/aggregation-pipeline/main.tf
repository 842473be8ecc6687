locals {
  names = {
    stream = "${var.name_prefix}IncomingDataStream"
    state  = "${var.name_prefix}StateLambda"
    states = "${var.name_prefix}StateTable"
  }

  # An empty name says that the levels are at the message's top; the function reads null.
  schema = merge(var.schema, { hierarchy = var.schema.hierarchy == "" ? null : var.schema.hierarchy })

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

module "state_function" {
  source = "../stream-function"

  name               = local.names.state
  global_name_suffix = var.global_name_suffix
  description        = "LEDA: keeps the newest version of each trade"
  package            = "state"

  event_source = { kind = "kinesis", arn = module.ingest_stream.arn, retention_hours = var.stream_retention_hours }
  exactly_once = false # A conditional write makes every record idempotent by itself.
  mapping      = var.state_function

  environment = merge(local.fault_environment, {
    POWERTOOLS_SERVICE_NAME          = "StateLambda"
    POWERTOOLS_METRICS_NAMESPACE     = "LEDA"
    POWERTOOLS_METRICS_FUNCTION_NAME = local.names.state
    POWERTOOLS_LOG_LEVEL             = var.log_level
    STATE_TABLE                      = module.state_table.name
    QUARANTINE_BUCKET                = module.aggregation.quarantine_bucket.name
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
      resources = ["${module.aggregation.quarantine_bucket.arn}/${local.names.state}/*"]
    },
  ])

  memory_mb            = var.state_function.memory_mb
  timeout_seconds      = var.state_function.timeout_seconds
  reserved_concurrency = var.state_function.reserved_concurrency

  packages           = var.packages
  runtime            = var.runtime
  architecture       = var.architecture
  failure_bucket_arn = module.aggregation.quarantine_bucket.arn
  freshness_seconds  = var.freshness_seconds
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  alarm_actions      = var.alarm_actions
}

# Each trade once, and its value, at every node of its path, which StateLambda writes into each row.
module "aggregation" {
  source = "../aggregation"

  name_prefix        = var.name_prefix
  global_name_suffix = var.global_name_suffix
  table              = module.state_table
  writers            = { StateLambda = module.state_function }
  backfill           = "none" # StateTable is made with the pipeline.

  hierarchy_path = "Path"
  measures = {
    Count = { op = "count" }
    Value = { op = "sum", field = "Value" }
  }
  limits = var.schema

  map_function            = var.map_function
  reduce_function         = var.reduce_function
  reduce_lanes            = var.reduce_lanes
  reduce_threads          = var.reduce_threads
  delta_retention_seconds = var.delta_retention_seconds

  packages     = var.packages
  runtime      = var.runtime
  architecture = var.architecture

  freshness_seconds  = var.freshness_seconds
  alarm_actions      = var.alarm_actions
  dashboard          = var.dashboard
  audit              = var.audit
  log_level          = var.log_level
  log_retention_days = var.log_retention_days

  kms_key_arn         = var.kms_key_arn
  deletion_protection = var.deletion_protection

  quarantine_bucket_name    = var.quarantine_bucket_name
  quarantine_retention_days = var.quarantine_retention_days

  fault_injection = var.fault_injection
}
