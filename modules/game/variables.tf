variable "name_prefix" {
  description = "Prefix of all names. With different prefixes, several pipelines fit in one account and Region."
  type        = string
  default     = ""
  nullable    = false

  validation {
    # 20: with the account and the region, the bucket's name stays within 63 characters.
    condition     = can(regex("^([a-zA-Z][a-zA-Z0-9-]{0,19})?$", var.name_prefix))
    error_message = "name_prefix has up to 20 letters, digits or hyphens and begins with a letter."
  }
}

variable "stream" {
  description = "The ingest stream that the generator puts trades into: `name` and `arn`."
  type = object({
    name = string
    arn  = string
  })
  nullable = false
}

variable "aggregate_table" {
  description = "The table with the totals that the generator checks: `name` and `arn`."
  type = object({
    name = string
    arn  = string
  })
  nullable = false
}

variable "schema" {
  description = "What a message looks like: the `schema` output of the pipeline."
  type = object({
    id                 = string
    version            = string
    value              = string
    timestamp          = string
    deleted            = string
    hierarchy          = string
    levels             = list(string)
    max_integer_digits = number
    max_decimal_places = number
  })
  nullable = false
}

variable "schedule_enabled" {
  description = "Whether EventBridge starts the generator."
  type        = bool
  default     = false
  nullable    = false
}

variable "schedule_expression" {
  description = "How often, as an EventBridge rate or cron expression. The default is the generator's timeout, so that two runs do not overlap."
  type        = string
  default     = "rate(2 minutes)"
  nullable    = false

  validation {
    condition     = can(regex("^(rate|cron)\\(.+\\)$", var.schedule_expression))
    error_message = "schedule_expression is rate(...) or cron(...)."
  }
}

variable "memory_mb" {
  description = "Memory of the generator in MB."
  type        = number
  default     = 512
  nullable    = false
}

variable "timeout_seconds" {
  description = "Seconds after which Lambda ends a run."
  type        = number
  default     = 120
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics to notify of alarms."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete ParameterTable, and `terraform destroy` with it."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = <<-EOT
    ARN of the own KMS key of the pipeline, for the table and the logs too; the generator may use it. `null`: AWS's keys.
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
