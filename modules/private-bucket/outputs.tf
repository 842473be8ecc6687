output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn

  # A writer to the bucket waits until it refuses everything but TLS.
  depends_on = [aws_s3_bucket_policy.this]
}

output "name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket

  # A writer to the bucket waits until nobody else can read it.
  depends_on = [aws_s3_bucket_public_access_block.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

output "regional_domain_name" {
  description = "Host name of the bucket in its region."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}
