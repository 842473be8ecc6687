output "table" {
  description = "The table Favourites: `name`, `arn`, `stream_arn`."
  value       = module.favourites_table
}

output "totals_table" {
  description = "The table with the totals: `name` and `arn`."
  value       = module.totals.totals_table
}

output "functions" {
  description = "The functions `map`, `reduce`, `health` and `audit`."
  value       = module.totals.functions
}

output "tables" {
  description = "The module's tables `reduce`, `aggregate` (the totals) and `registry`."
  value       = module.totals.tables
}

output "quarantine_bucket" {
  description = "The bucket with the rows that could not be counted."
  value       = module.totals.quarantine_bucket
}

output "next_step" {
  description = "What to do after the apply: the first computation."
  value       = module.totals.next_step
}
