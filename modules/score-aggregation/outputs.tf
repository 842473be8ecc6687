output "functions" {
  description = "The function `aggregate`: `name`, `arn`, `role_name`, `log_group_name`, and `mapping_uuid`, to switch it off and on."
  value       = { aggregate = module.aggregate_function }
}

output "tables" {
  description = "The tables `records` (with `stream_arn`), `scores` (the totals, with `index_name` of the leaderboard) and `checkpoint`: `name` and `arn`."
  value = {
    records    = module.records_table
    scores     = merge(module.scores_table, { index_name = local.leaderboard })
    checkpoint = module.checkpoint_table
  }
}

output "quarantine_bucket" {
  description = "The bucket with the records that could not be counted: `name` and `arn`."
  value       = module.quarantine_bucket
}
