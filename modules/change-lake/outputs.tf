output "stream" {
  description = "The delivery stream that takes the lines: `name` and `arn`."
  value = {
    name = aws_kinesis_firehose_delivery_stream.this.name
    arn  = aws_kinesis_firehose_delivery_stream.this.arn
  }
}

output "bucket" {
  description = "The bucket with the changes, the errors and the results: `name` and `arn`."
  value       = module.bucket
}

output "table" {
  description = "The table in Glue's catalog: `database` and `name`."
  value = {
    database = aws_glue_catalog_table.changes.database_name
    name     = aws_glue_catalog_table.changes.name
  }
}

output "workgroup" {
  description = "Name of Athena's workgroup."
  value       = aws_athena_workgroup.this.name
}

output "queries" {
  description = "IDs of the saved queries by their names."
  value       = { for name, query in aws_athena_named_query.this : name => query.id }
}
