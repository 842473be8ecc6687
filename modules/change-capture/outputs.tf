output "table" {
  description = "The table whose changes are captured: `name`, `arn`, `stream_arn` and `partition_key`."
  value       = local.table
}

output "functions" {
  description = "The functions `capture` and, where it is on, `replica`: `name`, `arn`, `role_name`, `log_group_name`, and `mapping_uuid`, to switch one off and on."
  value = merge(
    { capture = module.capture_function },
    { for part, function in { replica = one(module.replica_function) } : part => function if function != null },
  )

  precondition {
    condition     = length(setsubtract(keys(var.settings), module.capture_function.setting_names)) == 0
    error_message = "settings has no ${join(", ", setsubtract(keys(var.settings), module.capture_function.setting_names))}: modules/function lists the attributes of settings."
  }
}

output "topic_arn" {
  description = "ARN of the topic that changes are published to; `null` without `notify`."
  value       = local.topic_arn
}

output "query" {
  description = "The query for CloudWatch Logs Insights that answers what happened to one item, as it is saved."
  value       = local.query
}

output "replica_policy" {
  description = "What the role of `replica.role_arn` must be allowed, as a policy in JSON; `null` without `replica`."
  value = var.replica == null ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [for statement in local.replica_statements : merge(
      {
        Sid      = statement.sid
        Effect   = "Allow"
        Action   = statement.actions
        Resource = statement.resources
      },
      { for part, conditions in { Condition = lookup(statement, "conditions", {}) } : part => conditions if length(conditions) > 0 },
    )]
  })
}

output "quarantine_bucket" {
  description = "The bucket with the records that could not be read as a change, and the notifications that SNS did not accept: `name` and `arn`."
  value       = module.quarantine_bucket
}
