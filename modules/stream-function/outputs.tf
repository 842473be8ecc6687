output "arn" {
  description = "ARN of the function."
  value       = module.function.arn
}

output "name" {
  description = "Name of the function."
  value       = module.function.name
}

output "role_name" {
  description = "Name of the function's role, to attach further policies to."
  value       = module.function.role_name
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = module.function.log_group_name
}

output "mapping_uuid" {
  description = "UUID of the event source mapping, to switch it off and on."
  value       = aws_lambda_event_source_mapping.this.uuid
}

output "mapping_arn" {
  description = "ARN of the event source mapping, for the rights of the operators who look after it."
  value       = aws_lambda_event_source_mapping.this.arn
}

output "event_source_arn" {
  description = "ARN of the stream that the function reads."
  value       = aws_lambda_event_source_mapping.this.event_source_arn
}

output "retention_hours" {
  description = "Hours for which that stream keeps a record."
  value       = var.event_source.retention_hours
}

output "environment" {
  description = "The function's environment variables."
  value       = module.function.environment
}

output "setting_names" {
  description = "The attributes of `settings`. Callers refuse every other attribute."
  value       = module.function.setting_names
}

output "policy" {
  description = "The policy of the function's role, as JSON."
  value       = module.function.policy
}
