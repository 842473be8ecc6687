resource "aws_kinesis_stream" "this" {
  name             = var.name
  shard_count      = var.shard_count
  retention_period = var.retention_hours
  tags             = var.tags

  # Always encrypted: with the caller's key, or with the one that AWS manages for Kinesis.
  encryption_type = "KMS"
  kms_key_id      = coalesce(var.kms_key_arn, "alias/aws/kinesis")

  stream_mode_details {
    stream_mode = var.shard_count == null ? "ON_DEMAND" : "PROVISIONED"
  }
}

# Producers of other accounts. Their own account must allow the same actions on this ARN as well, and, if the
# stream has a customer-managed key, that key's policy must let them use it: a resource policy alone does not cross accounts.
# https://docs.aws.amazon.com/streams/latest/dev/resource-based-policy-examples.html
resource "aws_kinesis_resource_policy" "producers" {
  count = length(var.producer_principals) == 0 ? 0 : 1

  resource_arn = aws_kinesis_stream.this.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Producers"
      Effect    = "Allow"
      Principal = { AWS = var.producer_principals }
      Action    = ["kinesis:DescribeStreamSummary", "kinesis:PutRecord", "kinesis:PutRecords"]
      Resource  = aws_kinesis_stream.this.arn
    }]
  })
}
