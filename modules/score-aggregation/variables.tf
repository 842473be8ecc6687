variable "name_prefix" {
  description = "Prepended to the name of everything, so that several systems fit in one account and region."
  type        = string
  default     = ""
  nullable    = false

  validation {
    # 20: with the account and the region, the bucket's name stays within 63 characters.
    condition     = can(regex("^([a-zA-Z][a-zA-Z0-9-]{0,19})?$", var.name_prefix))
    error_message = "name_prefix has up to 20 letters, digits or hyphens and begins with a letter."
  }
}

variable "global_name_suffix" {
  description = <<-EOT
    Appended to the names that an account has only once, whatever the Region: those of the IAM roles and of the dashboard. `""` in the Region that was
    there first; in each further Region a text of its own, like `-eu-central-1`. A change replaces them.
  EOT
  type        = string
  default     = ""
  nullable    = false
}

variable "aggregate_function" {
  description = <<-EOT
    Settings of AggregateScoresByUser and its mapping; `modules/stream-function` explains the mapping's. Retries, age, bisect, the parallelization factor
    and the window cannot be set to what would break exactly-once.
    - `memory_mb` (512), `timeout_seconds` (60), `reserved_concurrency` (none)
    - `enabled` (true), `batch_size` (1000), `batching_window_seconds` (0), `parallelization_factor` (1)
    - `maximum_retry_attempts` (-1), `maximum_record_age_seconds` (-1), `bisect` (false), `tumbling_window_seconds` (900)
  EOT
  type = object({
    memory_mb                  = optional(number, 512)
    timeout_seconds            = optional(number, 60)
    reserved_concurrency       = optional(number)
    enabled                    = optional(bool, true)
    batch_size                 = optional(number, 1000)
    batching_window_seconds    = optional(number, 0)
    parallelization_factor     = optional(number, 1)
    maximum_retry_attempts     = optional(number)
    maximum_record_age_seconds = optional(number, -1)
    bisect                     = optional(bool)
    tumbling_window_seconds    = optional(number)
  })
  default  = {}
  nullable = false
}

variable "ttl_attribute" {
  description = "Attribute of a record with the time (epoch seconds) after which DynamoDB removes it. Its score stays in the total: only a record that somebody deletes is taken out. `null`: records stay."
  type        = string
  default     = null
}

variable "freshness_seconds" {
  description = "How old a total may be, from the record's write on. Alarms go off when a function is a third of it behind its stream."
  type        = number
  default     = 30
  nullable    = false
}

variable "log_level" {
  description = "What the functions log: `DEBUG`, `INFO`, `WARNING` or `ERROR`."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "log_level is DEBUG, INFO, WARNING or ERROR."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the functions' logs."
  type        = number
  default     = 30
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics that hear of alarms."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused before anything is deleted, unless `false` was applied before. Tables are protected by themselves, too, and the quarantine bucket is only deleted when it is empty."
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
    ARN of an own KMS key for the tables, the bucket and the logs. Its policy must let CloudWatch Logs
    use it (examples/complete has one). `null`: AWS's keys.
  EOT
  type        = string
  default     = null
}

variable "packages" {
  description = <<-EOT
    Where the functions' packages are. Either
    - `directory`: a folder with the zips. The default is the checkout's `build/`, which `make build` fills; or
    - `bucket` and `prefix`: what `scripts/build --publish s3://bucket/prefix` has uploaded, for accounts without a checkout.
      The bucket must hold the packages when they are read: at the plan, or at the apply where the plan does not know its name.
  EOT
  # A map and not an object: its keys are known at the plan even where the bucket's name is not.
  type     = map(string)
  default  = {}
  nullable = false
}

variable "runtime" {
  description = "Lambda runtime of the functions."
  type        = string
  default     = "python3.13"
  nullable    = false
}

variable "architecture" {
  description = "Processor of the functions: `arm64` (cheaper) or `x86_64`."
  type        = string
  default     = "arm64"
  nullable    = false
}
