output "bucket" {
  description = "The bucket with the files: `name` and `arn`."
  value       = module.bucket
}

output "url" {
  description = "URL of the site, without a slash at its end; `null` without CloudFront."
  value       = var.cloudfront ? "https://${local.origin}" : null
}
