output "functions" {
  description = "The functions `aggregate` and `reduce`: `name`, `arn`, `role_name`, `log_group_name`, and `mapping_uuid`, to switch one off and on. `health` has no mapping."
  value = {
    aggregate = module.aggregation.functions.map
    reduce    = module.aggregation.functions.reduce
    health    = module.aggregation.functions.health
  }
}

output "tables" {
  description = "The tables `records` (with `stream_arn`), `scores` (the totals, with `index_name` of the leaderboard), `reduce` and `registry`: `name` and `arn`."
  value = {
    records  = module.records_table
    scores   = merge(module.aggregation.tables.aggregate, { index_name = one(keys(module.aggregation.tables.aggregate.index_arns)) })
    reduce   = module.aggregation.tables.reduce
    registry = module.aggregation.tables.registry
  }
}

output "quarantine_bucket" {
  description = "The bucket with the records that could not be counted: `name` and `arn`."
  value       = module.aggregation.quarantine_bucket
}
