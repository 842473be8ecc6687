module "configuration" {
  source = "./configuration"

  measures       = var.measures
  group_by       = var.group_by
  hierarchy_path = var.hierarchy_path
  on_expiry      = var.on_expiry
  identifiers    = var.identifiers
  limits         = var.limits
}

locals {
  # As the types of module.configuration name them.
  measure_attributes  = ["op", "field", "missing"]
  grouping_attributes = ["keys", "where", "missing", "rollup", "max_totals", "retention_days"]

  # Lambda's limit for the names and values of all environment variables.
  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution
  most_environment_bytes = 4096
}
