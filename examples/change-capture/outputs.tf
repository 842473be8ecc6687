output "table" {
  description = "The table `Users`."
  value       = module.changes.table
}

output "functions" {
  description = "The functions `capture` and `replica`."
  value       = module.changes.functions
}

output "copy" {
  description = "The replica of the table."
  value       = { name = module.copy.name, arn = module.copy.arn }
}

output "topic_arn" {
  description = "ARN of the topic with the notifications."
  value       = module.changes.topic_arn
}

output "inbox_url" {
  description = "URL of the queue that is subscribed to the topic."
  value       = aws_sqs_queue.inbox.url
}

output "query" {
  description = "The query for CloudWatch Logs Insights that answers what happened to one user."
  value       = module.changes.query
}

output "quarantine_bucket" {
  description = "The bucket with what could not be processed."
  value       = module.changes.quarantine_bucket
}
