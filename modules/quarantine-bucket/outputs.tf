output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn

  # Whoever writes to the bucket waits until it refuses everything but TLS.
  depends_on = [aws_s3_bucket_policy.this]
}

output "name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket
}
