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
  description = "ARNs of the table's indexes by their names."
  value       = { for index in var.indexes : index.name => "${aws_dynamodb_table.this.arn}/index/${index.name}" }
}
