# replica: a function and a mapping of their own, the second reader of the stream's shards. AWS advises no third.
# https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html, "Simultaneous readers"

locals {
  replica_arn     = try(split(":", var.replica.table_arn), null)
  replica_region  = try(local.replica_arn[3], null)
  replica_account = try(local.replica_arn[4], null)
  replica_name    = try(regex(":table/([^/]+)$", var.replica.table_arn)[0], null)
  replica_role    = try(var.replica.role_arn, null)

  # A table of another account is reached by its ARN, unless the role is of that account.
  replica_target = local.replica_role == null && local.replica_account != data.aws_caller_identity.current.account_id ? try(var.replica.table_arn, null) : local.replica_name

  # DescribeTable tells an item that cannot be written from a table with another key.
  write_replica = {
    sid       = "WriteReplica"
    actions   = ["dynamodb:DescribeTable", "dynamodb:PutItem"]
    resources = [try(var.replica.table_arn, null)]
  }

  replica_key = try(var.replica.kms_key_arn, null) == null ? [] : [{
    sid       = "ReplicaKey"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = [var.replica.kms_key_arn]
    # By way of DynamoDB where the replica is, and in no other way. The name ends in amazonaws.com in all partitions.
    # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    conditions = { StringEquals = { "kms:ViaService" = ["dynamodb.${local.replica_region}.amazonaws.com"] } }
  }]

  # What somebody who writes to the replica must be allowed: this function's role, or the one that it assumes.
  replica_statements = concat([local.write_replica], local.replica_key)
}

module "replica_function" {
  source = "../stream-function"
  count  = var.replica == null ? 0 : 1

  name        = local.names.replica
  description = "LEDA: keeps a copy of ${local.table.name}"
  service     = "TableReplica"
  package     = "table_replica"

  event_source = { kind = "dynamodb", arn = local.table.stream_arn }
  exactly_once = false # Each row's place makes every record idempotent by itself.
  function     = var.replica_function

  environment = merge(
    {
      REPLICA_TABLE     = local.replica_target
      REPLICA_REGION    = local.replica_region
      PLACE_ATTRIBUTE   = var.replica.place_attribute
      END_ATTRIBUTE     = var.replica.end_attribute
      TOMBSTONE_SECONDS = var.replica.tombstone_seconds
    },
    local.replica_role == null ? {} : { REPLICA_ROLE_ARN = local.replica_role },
  )

  policy_statements = concat(
    [for statement in local.replica_statements : statement if local.replica_role == null],
    [for role in local.replica_role[*] : {
      sid       = "AssumeReplicaRole"
      actions   = ["sts:AssumeRole"]
      resources = [role]
    }],
  )

  quarantine_bucket = module.quarantine_bucket
  freshness_seconds = var.freshness_seconds

  settings      = merge(var.settings, { log_level = "INFO" })
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}
