variable "name_prefix" {
  description = "Prefix of all names. With different prefixes, several processors fit in one account and Region."
  type        = string
  default     = ""
  nullable    = false

  validation {
    # 20: with the account and the region, the bucket's name stays within 63 characters.
    condition     = can(regex("^([a-zA-Z][a-zA-Z0-9-]{0,19})?$", var.name_prefix))
    error_message = "name_prefix has up to 20 letters, digits or hyphens and begins with a letter."
  }
}

variable "shard_count" {
  description = "Number of shards of the stream. `null` lets Kinesis scale by itself (on-demand mode)."
  type        = number
  default     = null
}

variable "stream_retention_hours" {
  description = "How long the stream keeps a record: the time there is to repair the function before records are lost. 24 to 8760."
  type        = number
  default     = 168
  nullable    = false
}

variable "producer_principals" {
  description = "ARNs of the principals of other accounts that may put records. Needs `kms_key_arn`."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "package" {
  description = <<-EOT
    Name of the package with the function `process`: what `scripts/build --process NAME=FOLDER` makes of your folder. The default only logs the
    records.
  EOT
  type        = string
  default     = "process_records"
  nullable    = false
}

variable "environment" {
  description = "Environment variables for `process`. The module's own are not to be set: `POWERTOOLS_*`, `QUARANTINE_BUCKET`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.environment) : !startswith(name, "POWERTOOLS_") && name != "QUARANTINE_BUCKET"])
    error_message = "environment sets a variable that the module sets: POWERTOOLS_* or QUARANTINE_BUCKET."
  }
}

variable "policy_statements" {
  description = "What `process` may do in AWS, beyond reading its stream, writing its log and its quarantine: exact actions on exact ARNs."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))
  default  = []
  nullable = false
}

variable "function" {
  description = <<-EOT
    Settings of the function and its mapping; `modules/stream-function` explains the mapping's.
    - `memory_mb` (512), `timeout_seconds` (60), `reserved_concurrency` (none)
    - `enabled` (true), `batch_size` (100), `batching_window_seconds` (0), `parallelization_factor` (1), up to 10
    - `maximum_retry_attempts` (-1), `maximum_record_age_seconds` (an hour less than `stream_retention_hours`, at most a week), `bisect` (true)
    - `starting_position` (`TRIM_HORIZON`), `LATEST` or, with `starting_position_timestamp`, `AT_TIMESTAMP`: where a new mapping begins
  EOT
  type = object({
    memory_mb                   = optional(number, 512)
    timeout_seconds             = optional(number, 60)
    reserved_concurrency        = optional(number)
    enabled                     = optional(bool, true)
    batch_size                  = optional(number, 100)
    batching_window_seconds     = optional(number, 0)
    parallelization_factor      = optional(number, 1)
    maximum_retry_attempts      = optional(number)
    maximum_record_age_seconds  = optional(number)
    bisect                      = optional(bool, true)
    starting_position           = optional(string)
    starting_position_timestamp = optional(string)
  })
  default  = {}
  nullable = false
}

variable "freshness_seconds" {
  description = "Seconds that may pass from the arrival of a record until it is processed. An alarm goes off when the function is behind its stream by more than a third of these seconds."
  type        = number
  default     = 60
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics to notify of alarms."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused before anything is deleted, unless `false` was applied before. The quarantine bucket is only deleted when it is empty."
  type        = bool
  default     = true
  nullable    = false
}

variable "quarantine_bucket_name" {
  description = "Name of the quarantine bucket. `null`: `<name_prefix>leda-records-<account>-<region>` in lower case."
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
    ARN of a customer-managed KMS key for the stream, the bucket and the logs. Its policy must let CloudWatch Logs use it. `null`: AWS's keys.
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
