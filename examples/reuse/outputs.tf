output "stream" {
  description = "The ingest stream: `name` and `arn`."
  value       = module.orders.stream
}

output "functions" {
  description = "The functions `state`, `map`, `reduce`, `health` and `audit`."
  value       = module.orders.functions
}

output "tables" {
  description = "The tables `state`, `reduce`, `aggregate` (the totals) and `registry`."
  value       = module.orders.tables
}

output "producer_policy" {
  description = "What the other account attaches to the producer's role: the stream's and the key's policies are only half of the permission."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["kinesis:DescribeStreamSummary", "kinesis:PutRecord", "kinesis:PutRecords"]
        Resource = module.orders.stream.arn
      },
      {
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = aws_kms_key.this.arn
      },
    ]
  })
}
