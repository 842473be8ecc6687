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
  tags                = var.tags
}

# One row a trade: its newest version. The stream carries both images, because Map adds `new - old`.
module "state_table" {
  source = "../table"

  name                = local.names.states
  hash_key            = { name = "id", type = "S" }
  stream_view_type    = "NEW_AND_OLD_IMAGES"
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
  capacity            = try(var.capacity.state, null)
  tags                = var.tags
}

module "state_function" {
  source = "../stream-function"

  name        = local.names.state
  description = "LEDA: keeps the newest version of each trade"
  service     = "StateLambda"
  package     = "state"

  event_source = { kind = "kinesis", arn = module.ingest_stream.arn, retention_hours = var.stream_retention_hours }
  exactly_once = false # A conditional write makes every record idempotent by itself.
  function     = var.state_function

  environment = merge(local.fault_environment, {
    STATE_TABLE   = module.state_table.name
    SCHEMA        = jsonencode(local.schema)
    WRITE_THREADS = var.write_threads
  })

  policy_statements = concat(local.fault_statements, [
    {
      sid       = "WriteStates"
      actions   = ["dynamodb:BatchGetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"]
      resources = [module.state_table.arn]
    },
  ])

  quarantine_bucket = module.aggregation.quarantine_bucket
  freshness_seconds = var.freshness_seconds

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

# Each trade once, and its value, at every node of its path, which StateLambda writes into each row.
module "aggregation" {
  source = "../aggregation"

  name_prefix = var.name_prefix
  table       = module.state_table
  writers     = { StateLambda = module.state_function }
  backfill    = "none" # StateTable is made with the pipeline.

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

  freshness_seconds   = var.freshness_seconds
  dashboard           = var.dashboard
  audit               = var.audit
  capacity            = { for table, capacity in var.capacity : table => capacity if table != "state" }
  deletion_protection = var.deletion_protection

  quarantine_bucket_name    = var.quarantine_bucket_name
  quarantine_retention_days = var.quarantine_retention_days

  fault_injection = var.fault_injection

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}
