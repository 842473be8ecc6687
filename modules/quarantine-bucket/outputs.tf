output "arn" {
  description = "ARN of the bucket."
  value       = module.bucket.arn
}

output "name" {
  description = "Name of the bucket."
  value       = module.bucket.name
}
