variable "name_prefix" {
  description = "Prefix of all names. With different prefixes, several systems fit in one account and Region."
  type        = string
  default     = ""
  nullable    = false

  validation {
    # 20: with the account and the region, the bucket's name stays within 63 characters.
    condition     = can(regex("^([a-zA-Z][a-zA-Z0-9-]{0,19})?$", var.name_prefix))
    error_message = "name_prefix has up to 20 letters, digits or hyphens and begins with a letter."
  }
}

variable "aggregate_function" {
  description = "Settings of AggregateScoresByUser and its mapping: those of `map_function` in `modules/aggregation`."
  type        = any
  default     = {}
  nullable    = false
}

variable "ttl_attribute" {
  description = "Attribute of a record with the time (epoch seconds) after which DynamoDB removes it. Its score stays in the total: only a record that somebody deletes is taken out. `null`: records stay."
  type        = string
  default     = null
}

variable "freshness_seconds" {
  description = "Seconds that may pass from the write of a record until the totals contain it. An alarm goes off when a function is behind its stream by more than a third of these seconds."
  type        = number
  default     = 30
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics to notify of alarms."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "capacity" {
  description = "Provisioned capacity with auto scaling instead of on-demand, by table: `records`, `reduce` and `registry`. `modules/table` lists the attributes of each; a table that is not named is on demand."
  type        = any
  default     = {}
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused, before anything is deleted. To destroy the stack, apply `false` first. The tables also have DynamoDB's deletion protection, and the quarantine bucket is deleted only if it is empty."
  type        = bool
  default     = true
  nullable    = false
}

variable "quarantine_bucket_name" {
  description = "Name of the quarantine bucket. `null`: `<name_prefix>leda-bad-scores-<account>-<region>` in lower case."
  type        = string
  default     = null
}

variable "quarantine_retention_days" {
  description = "Days after which a quarantined record is deleted. `null`: it stays."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = <<-EOT
    ARN of a customer-managed KMS key for the tables, the bucket and the logs. Its policy must let CloudWatch Logs
    use it (examples/complete has one). `null`: AWS's keys.
  EOT
  type        = string
  default     = null
}

variable "settings" {
  description = "What all functions have in common, and the roles and logs beside them: packages, runtime, logs, tracing, VPC, permissions boundary, path and suffix of roles. `modules/function` lists its attributes."
  type        = any
  default     = {}
  nullable    = false
}

variable "tags" {
  description = "Tags for all resources that take tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
