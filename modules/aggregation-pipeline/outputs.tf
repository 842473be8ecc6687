output "stream" {
  description = "The ingest stream: `name` and `arn`, for producers."
  value = {
    name = module.ingest_stream.name
    arn  = module.ingest_stream.arn
  }
}

output "functions" {
  description = "The functions `state`, `map` and `reduce`: `name`, `arn`, `role_name`, `log_group_name`, and `mapping_uuid`, to switch one off and on. And without a mapping `health`, and `audit` where it is on."
  value = merge(
    {
      state  = module.state_function
      map    = module.map_function
      reduce = module.reduce_function
      health = module.health_function
    },
    { for part, function in { audit = one(module.audit_function) } : part => function if function != null },
  )
}

output "tables" {
  description = "The tables `state`, `reduce`, `aggregate` (the totals) and `registry`: `name`, `arn` and `stream_arn`."
  value = {
    state     = module.state_table
    reduce    = module.reduce_table
    aggregate = module.aggregate_table
    registry  = module.registry_table
  }
}

output "quarantine_bucket" {
  description = "The bucket with the messages that could not be processed: `name` and `arn`."
  value       = module.quarantine_bucket
}

output "schema" {
  description = "What a message looks like, with the defaults filled in."
  value       = local.schema
}
