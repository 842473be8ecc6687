output "stream" {
  description = "The ingest stream: `name` and `arn`, for producers."
  value       = module.pipeline.stream
}

output "functions" {
  description = "The functions `state`, `map`, `reduce` (with `mapping_uuid`), `health`, `generator` and, where it is on, `audit`: `name`, `arn`, `role_name`, `log_group_name`."
  value       = merge(module.pipeline.functions, { generator = module.game.generator })
}

output "tables" {
  description = "The tables `state`, `reduce`, `aggregate` (the totals), `registry` and `parameter`: `name`, `arn` and `stream_arn`."
  value       = merge(module.pipeline.tables, { parameter = module.game.parameter_table })
}

output "quarantine_bucket" {
  description = "The bucket with the messages that could not be processed: `name` and `arn`."
  value       = module.pipeline.quarantine_bucket
}

output "schema" {
  description = "What a message looks like, with the defaults filled in."
  value       = module.pipeline.schema
}

output "schedule_rule_name" {
  description = "Name of the EventBridge rule that starts GeneratorLambda."
  value       = module.game.schedule_rule_name
}
