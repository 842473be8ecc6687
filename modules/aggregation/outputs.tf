output "totals_table" {
  description = "The table with the totals: `name` and `arn`, for readers."
  value = {
    name = module.aggregate_table.name
    arn  = module.aggregate_table.arn
  }
}

output "functions" {
  description = "The functions `map` and `reduce`: `name`, `arn`, `role_name`, `log_group_name`, and `mapping_uuid`, to switch one off and on. `health`, and `audit` where it is on, have no mapping."
  value = merge(
    {
      map    = module.map_function
      reduce = module.reduce_function
      health = module.health_function
    },
    { for part, function in { audit = one(module.audit_function) } : part => function if function != null },
  )

  precondition {
    condition     = length(setsubtract(keys(var.settings), module.health_function.setting_names)) == 0
    error_message = "settings has no ${join(", ", setsubtract(keys(var.settings), module.health_function.setting_names))}: modules/function lists the attributes of settings."
  }

  precondition {
    # The bytes of the variables as JSON, which is how Lambda gets them; base64 has four characters for three bytes. Measures that fit
    # here fit a statement of Reduce, too: it names each twice, with 16 characters around, and has 8,192.
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementRequest.html
    condition     = floor(length(base64encode(jsonencode(module.map_function.environment))) * 3 / 4) <= local.most_environment_bytes
    error_message = "The environment of ${local.names.map} takes ${floor(length(base64encode(jsonencode(module.map_function.environment))) * 3 / 4)} bytes, most of them for group_by and measures, and Lambda takes ${local.most_environment_bytes}. Use fewer groupings or shorter names, or a second module on the same table (a stream has two readers)."
  }
}

output "tables" {
  description = "The module's tables `reduce`, `aggregate` (the totals) and `registry`: `name`, `arn`, `stream_arn` and `index_arns`."
  value = {
    reduce    = module.reduce_table
    aggregate = module.aggregate_table
    registry  = module.registry_table
  }
}

output "quarantine_bucket" {
  description = "The bucket with what could not be counted: `name` and `arn`."
  value       = local.quarantine_bucket
}

locals {
  backfill_command = "leda backfill${local.command_target}"

  first_step = (
    var.backfill == "required"
    ? "${local.names.map} counts nothing before the first backfill. If it has not run yet, run: ${local.backfill_command}"
    : "${local.names.map} counts from the first change on."
  )

  # What has expired is in the totals and not in the table, so they cannot be computed again.
  later_steps = (
    var.on_expiry == "keep"
    ? join("\n", [
      "If the totals had on_expiry = \"subtract\" until now, run: ${local.backfill_command}",
      "With on_expiry = \"keep\" a later change of group_by, measures, on_expiry or identifiers has no effect: use a second module beside this one.",
    ])
    : "A later change of group_by, measures, on_expiry or identifiers has no effect before: ${local.backfill_command}"
  )
}

output "next_step" {
  description = "What to do after `terraform apply`, with the command. Make it an output of your root module, and apply shows it."
  value       = "${local.first_step}\n${local.later_steps}"
}
