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

output "warm_command" {
  description = "The command that lets StateTable take the load from its first second. Run it once, before the load; AWS charges for it."
  value       = "aws dynamodb update-table --table-name ${module.pipeline.tables.state.name} --warm-throughput ReadUnitsPerSecond=12000,WriteUnitsPerSecond=80000"
}
