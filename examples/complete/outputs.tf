output "stream" {
  description = "The ingest stream: `name` and `arn`."
  value       = module.pipeline.stream
}

output "functions" {
  description = "The functions `state`, `map`, `reduce`, `health` and `audit`."
  value       = module.pipeline.functions
}

output "tables" {
  description = "The tables `state`, `reduce`, `aggregate` (the totals) and `registry`."
  value       = module.pipeline.tables
}

output "quarantine_bucket" {
  description = "The bucket with the readings that could not be processed."
  value       = module.pipeline.quarantine_bucket
}

output "schema" {
  description = "What a reading looks like."
  value       = module.pipeline.schema
}

output "alarm_topic_arn" {
  description = "ARN of the topic to subscribe to."
  value       = aws_sns_topic.alarms.arn
}
