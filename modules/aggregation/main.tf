data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  names = {
    map      = coalesce(var.names.map, "${var.name_prefix}MapLambda")
    reduce   = coalesce(var.names.reduce, "${var.name_prefix}ReduceLambda")
    health   = coalesce(var.names.health, "${var.name_prefix}HealthLambda")
    audit    = coalesce(var.names.audit, "${var.name_prefix}AuditLambda")
    deltas   = coalesce(var.names.reduce_table, "${var.name_prefix}ReduceTable")
    totals   = coalesce(var.names.totals_table, "${var.name_prefix}AggregateTable")
    registry = coalesce(var.names.registry_table, "${var.name_prefix}RegistryTable")
  }

  # Bucket names are shared by all of AWS, and lower case.
  quarantine_name = coalesce(
    var.quarantine_bucket_name,
    lower("${var.name_prefix}leda-quarantine-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"),
  )

  quarantine_bucket = var.quarantine_bucket == null ? one(module.quarantine_bucket[*]) : var.quarantine_bucket

  # A name means a table of the own account; a table of another account is named by its ARN.
  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-cross-account-access.html
  source_table = split(":", var.table.arn)[4] == data.aws_caller_identity.current.account_id ? var.table.name : var.table.arn

  # A function that reads a table or its stream must be able to use the table's key, by way of DynamoDB and no other way. The name
  # ends in amazonaws.com in all partitions.
  # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
  source_key_statements = var.table.kms_key_arn == null ? [] : [{
    sid        = "SourceTableKey"
    actions    = ["kms:Decrypt", "kms:DescribeKey"]
    resources  = [var.table.kms_key_arn]
    conditions = { StringEquals = { "kms:ViaService" = ["dynamodb.${data.aws_region.current.id}.amazonaws.com"] } }
  }]

  fault_environment = var.fault_injection == null ? {} : { PARAMETER_TABLE = var.fault_injection.parameter_table_name }

  shard_environment = var.single_shard ? { SINGLE_SHARD = "true" } : {}

  fault_statements = var.fault_injection == null ? [] : [{
    sid       = "ReadFaults"
    actions   = ["dynamodb:GetItem"]
    resources = [var.fault_injection.parameter_table_arn]
  }]
}

# One row for each lane and each shard of the source table's stream: what a batch of Map adds to the lane's totals, and how far Map has
# come with them.
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
  capacity            = try(var.capacity.reduce, null)
  tags                = var.tags
}

# The totals.
module "aggregate_table" {
  source = "../table"

  name     = local.names.totals
  hash_key = { name = var.totals_key, type = "S" }

  indexes = concat(
    !var.indexes.children ? [] : [{
      name      = "Children"
      hash_key  = { name = "Parent", type = "S" }
      range_key = { name = var.totals_key, type = "S" }
    }],
    [for measure in var.indexes.top : {
      name      = "Top${measure}"
      hash_key  = { name = "Parent", type = "S" }
      range_key = { name = measure, type = "N" }
    }],
  )

  # Only totals of groupings with retention_days have the attribute.
  ttl_attribute       = anytrue([for grouping in values(module.configuration.group_by) : grouping.retention_days != null]) ? "ExpiresAt" : null
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
  capacity            = try(var.capacity.aggregate, null)
  tags                = var.tags
}

# What must not depend on a deployment: the configurations by version, the version and number of lanes of each shard of the source table's
# stream, the epoch of each shard of ReduceTable's, and the journal of a rebuild. Rows of shards expire when these have long been gone.
module "registry_table" {
  source = "../table"

  name                = local.names.registry
  hash_key            = { name = "Scope", type = "S" }
  range_key           = { name = "Name", type = "S" }
  ttl_attribute       = "ExpiresAt"
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
  capacity            = try(var.capacity.registry, null)
  tags                = var.tags
}

module "quarantine_bucket" {
  source = "../quarantine-bucket"
  count  = var.quarantine_bucket == null ? 1 : 0

  name           = local.quarantine_name
  retention_days = var.quarantine_retention_days
  force_destroy  = !var.deletion_protection
  kms_key_arn    = var.kms_key_arn
  tags           = var.tags
}

module "map_function" {
  source = "../stream-function"

  name        = local.names.map
  description = "LEDA: turns changes of ${var.table.name} into sums to add"
  service     = "MapLambda"
  package     = "map"

  event_source = { kind = "dynamodb", arn = var.table.stream_arn }
  exactly_once = true
  function     = var.map_function

  environment = merge(local.fault_environment, local.shard_environment, {
    REDUCE_TABLE            = module.reduce_table.name
    REGISTRY_TABLE          = module.registry_table.name
    CONFIGURATION           = jsonencode(module.configuration.configuration)
    LIMITS                  = jsonencode(var.limits)
    BACKFILL                = var.backfill
    REDUCE_LANES            = var.reduce_lanes
    DELTA_RETENTION_SECONDS = var.delta_retention_seconds
  })

  policy_statements = concat(local.fault_statements, local.source_key_statements, [
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
  ])

  quarantine_bucket = local.quarantine_bucket
  freshness_seconds = var.freshness_seconds

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

module "reduce_function" {
  source = "../stream-function"

  name        = local.names.reduce
  description = "LEDA: adds the sums to the totals"
  service     = "ReduceLambda"
  package     = "reduce"

  event_source = { kind = "dynamodb", arn = module.reduce_table.stream_arn }
  exactly_once = true

  # Map replaces its rows, so a delta comes as INSERT or MODIFY. A row that expires is a REMOVE, and nothing to subtract.
  function = merge(var.reduce_function, { filter_patterns = [jsonencode({ eventName = ["INSERT", "MODIFY"] })] })

  environment = merge(local.fault_environment, local.shard_environment, {
    AGGREGATE_TABLE = module.aggregate_table.name
    TOTALS_KEY      = var.totals_key
    REGISTRY_TABLE  = module.registry_table.name
    REDUCE_THREADS  = var.reduce_threads
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
  ])

  quarantine_bucket = local.quarantine_bucket
  freshness_seconds = var.freshness_seconds

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}
