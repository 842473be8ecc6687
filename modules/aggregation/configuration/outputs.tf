output "configuration" {
  description = "The configuration, as `CONFIGURATION` in the environment of MapLambda and AuditLambda holds it in JSON."
  value       = local.configuration
}

output "group_by" {
  description = "The groupings, with every attribute: those that the caller left out have their defaults."
  value       = var.group_by
}
