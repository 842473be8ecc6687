output "stream" {
  description = "The ingest stream: `name` and `arn`, for producers."
  value = {
    name = module.ingest_stream.name
    arn  = module.ingest_stream.arn
  }
}

output "functions" {
  description = "The functions `state`, `map` and `reduce`: `name`, `arn`, `role_name`, `log_group_name`, and `mapping_uuid`, to switch one off and on. `health`, and `audit` where it is on, have no mapping."
  value       = merge({ state = module.state_function }, module.aggregation.functions)
}

output "tables" {
  description = "The tables `state`, `reduce`, `aggregate` (the totals) and `registry`: `name`, `arn` and `stream_arn`."
  value       = merge({ state = module.state_table }, module.aggregation.tables)
}

output "quarantine_bucket" {
  description = "The bucket with the messages that could not be processed: `name` and `arn`."
  value       = module.aggregation.quarantine_bucket
}

output "schema" {
  description = "What a message looks like, with the defaults filled in."
  value       = local.schema
}
