variable "name_prefix" {
  description = "Prepended to the name of everything, so that several pipelines fit in one account and region."
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

variable "shard_count" {
  description = "Number of shards of the ingest stream. `null` lets Kinesis scale by itself (on-demand mode)."
  type        = number
  default     = null
}

variable "stream_retention_hours" {
  description = "How long the ingest stream keeps a message: the time there is to repair the pipeline before messages are lost. 24 to 8760."
  type        = number
  default     = 168
  nullable    = false
}

variable "producer_principals" {
  description = "ARNs of the principals of other accounts that may put messages. Needs `kms_key_arn`."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "schema" {
  description = <<-EOT
    What a message looks like.
    - `id`, `version`, `value`: names of the fields with the key, the version (a higher one replaces a lower) and the number to sum
      (TradeID, Version, Value)
    - `timestamp`, `deleted`: names of the optional fields with the time (epoch seconds) and the mark of a deletion (Timestamp, Deleted)
    - `hierarchy`: name of the field with the levels (Hierarchy); `""`: the levels are at the message's top
    - `levels`: names of the levels, from the coarsest to the finest (RiskType, TradeDesk, Region)
    - `max_integer_digits`, `max_decimal_places`: the largest values that are taken (12, 17). A sum of 10^9 values needs 9 digits more,
      and a DynamoDB number has 38
  EOT
  type = object({
    id                 = optional(string)
    version            = optional(string)
    value              = optional(string)
    timestamp          = optional(string)
    deleted            = optional(string)
    hierarchy          = optional(string)
    levels             = optional(list(string))
    max_integer_digits = optional(number)
    max_decimal_places = optional(number)
  })
  default  = {}
  nullable = false
}

variable "state_function" {
  description = <<-EOT
    Settings of StateLambda and its mapping; `modules/stream-function` explains the mapping's.
    - `memory_mb` (512), `timeout_seconds` (60), `reserved_concurrency` (none)
    - `enabled` (true), `batch_size` (1000), `batching_window_seconds` (1), `parallelization_factor` (1), up to 10
    - `maximum_retry_attempts` (-1), `maximum_record_age_seconds` (an hour less than `stream_retention_hours`, at most a week), `bisect` (false)
    - `starting_position` (`TRIM_HORIZON`), `LATEST` or, with `starting_position_timestamp`, `AT_TIMESTAMP`: where a new mapping begins
  EOT
  type = object({
    memory_mb                   = optional(number)
    timeout_seconds             = optional(number)
    reserved_concurrency        = optional(number)
    enabled                     = optional(bool)
    batch_size                  = optional(number)
    batching_window_seconds     = optional(number)
    parallelization_factor      = optional(number)
    maximum_retry_attempts      = optional(number)
    maximum_record_age_seconds  = optional(number)
    bisect                      = optional(bool)
    starting_position           = optional(string)
    starting_position_timestamp = optional(string)
  })
  default  = {}
  nullable = false
}

variable "map_function" {
  description = <<-EOT
    Settings of MapLambda and its mapping; `modules/stream-function` explains the mapping's. Retries, age, bisect, the parallelization factor
    and the window cannot be set to what would break exactly-once.
    - `memory_mb` (512), `timeout_seconds` (60), `reserved_concurrency` (none)
    - `enabled` (true), `batch_size` (1000), `batching_window_seconds` (0), `parallelization_factor` (1)
    - `maximum_retry_attempts` (-1), `maximum_record_age_seconds` (-1), `bisect` (false), `tumbling_window_seconds` (900)
  EOT
  type = object({
    memory_mb                  = optional(number)
    timeout_seconds            = optional(number)
    reserved_concurrency       = optional(number)
    enabled                    = optional(bool)
    batch_size                 = optional(number)
    batching_window_seconds    = optional(number)
    parallelization_factor     = optional(number)
    maximum_retry_attempts     = optional(number)
    maximum_record_age_seconds = optional(number)
    bisect                     = optional(bool)
    tumbling_window_seconds    = optional(number)
  })
  default  = {}
  nullable = false
}

variable "reduce_function" {
  description = <<-EOT
    Settings of ReduceLambda and its mapping; `modules/stream-function` explains the mapping's. Retries, age, bisect, the parallelization factor
    and the window cannot be set to what would break exactly-once.
    - `memory_mb` (512), `timeout_seconds` (60), `reserved_concurrency` (none)
    - `enabled` (true), `batch_size` (1000), `batching_window_seconds` (0), `parallelization_factor` (1)
    - `maximum_retry_attempts` (-1), `maximum_record_age_seconds` (-1), `bisect` (false), `tumbling_window_seconds` (900)
  EOT
  type = object({
    memory_mb                  = optional(number)
    timeout_seconds            = optional(number)
    reserved_concurrency       = optional(number)
    enabled                    = optional(bool)
    batch_size                 = optional(number)
    batching_window_seconds    = optional(number)
    parallelization_factor     = optional(number)
    maximum_retry_attempts     = optional(number)
    maximum_record_age_seconds = optional(number)
    bisect                     = optional(bool)
    tumbling_window_seconds    = optional(number)
  })
  default  = {}
  nullable = false
}

variable "reduce_lanes" {
  description = "Lanes that the totals are spread over; a lane is a partition key of ReduceTable, which takes 1,000 write units a second and holds 10 GB. More lanes let Map write more at once, and Reduce work in parallel once DynamoDB splits the table; each batch of Map writes one row for each lane that it touches. It may be changed at any time: a shard of StateTable's stream keeps the number that it began with, and shards are replaced every few hours."
  type        = number
  default     = 1
  nullable    = false
}

variable "freshness_seconds" {
  description = "How old a total may be, from the message's arrival on. Alarms go off when one of the three functions is a third of it behind its stream."
  type        = number
  default     = 30
  nullable    = false
}

variable "audit" {
  description = <<-EOT
    When AuditLambda compares every total with a sum over StateTable. It scans both tables: a read unit for each 4 KB, every time. `null`: never.
    - `schedule_expression`: as an EventBridge rate or cron expression (`rate(1 hour)`)
    - `memory_mb` (1024), `timeout_seconds` (300): a larger StateTable needs more of both
  EOT
  type = object({
    schedule_expression = optional(string)
    memory_mb           = optional(number)
    timeout_seconds     = optional(number)
  })
  default = null
}

variable "log_level" {
  description = "What the functions log: `DEBUG`, `INFO`, `WARNING` or `ERROR`."
  type        = string
  default     = "INFO"
  nullable    = false
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

variable "dashboard" {
  description = "Whether to make a CloudWatch dashboard with lag, records, iterator ages, errors, quarantined messages, health and the size of the lanes."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused before anything is deleted, unless `false` was applied before. Tables are protected by themselves, too, and the quarantine bucket is only deleted when it is empty."
  type        = bool
  default     = true
  nullable    = false
}

variable "quarantine_bucket_name" {
  description = "Name of the quarantine bucket. `null`: `<name_prefix>leda-quarantine-<account>-<region>` in lower case."
  type        = string
  default     = null
}

variable "quarantine_retention_days" {
  description = "Days after which a quarantined message is deleted. `null`: it stays."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = <<-EOT
    ARN of an own KMS key for the stream, the tables, the bucket and the logs. Its policy must let CloudWatch Logs
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

variable "fault_injection" {
  description = "Whether the functions fail on purpose, as often as ParameterTable says. For tests and demonstrations."
  type        = bool
  default     = false
  nullable    = false
}

variable "generator_schedule_enabled" {
  description = "Whether EventBridge starts GeneratorLambda every two minutes, to play the game by itself."
  type        = bool
  default     = false
  nullable    = false
}
