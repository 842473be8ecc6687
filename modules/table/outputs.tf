output "arn" {
  description = "ARN of the table."
  value       = aws_dynamodb_table.this.arn
}

output "name" {
  description = "Name of the table."
  value       = aws_dynamodb_table.this.name
}

output "stream_arn" {
  description = "ARN of the table's stream; `null` without one."
  # Without a stream the provider reports an empty string.
  value = var.stream_view_type == null ? null : aws_dynamodb_table.this.stream_arn
}

output "index_arns" {
  description = "ARNs of the table's indexes, global and local, by their names."
  value       = { for name in concat(var.indexes[*].name, var.local_indexes[*].name) : name => "${aws_dynamodb_table.this.arn}/index/${name}" }
}
