variable "name_prefix" {
  description = "Prefix of all names. With different prefixes, several pipelines fit in one account and Region."
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
  description = "Hours for which the ingest stream keeps a message, and so the time in which the pipeline must be repaired before messages are lost. 24 to 8760."
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
    id                 = optional(string, "TradeID")
    version            = optional(string, "Version")
    value              = optional(string, "Value")
    timestamp          = optional(string, "Timestamp")
    deleted            = optional(string, "Deleted")
    hierarchy          = optional(string, "Hierarchy")
    levels             = optional(list(string), ["RiskType", "TradeDesk", "Region"])
    max_integer_digits = optional(number, 12)
    max_decimal_places = optional(number, 17)
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(var.schema.levels) > 0
    error_message = "schema.levels needs at least one level: without one there is no total."
  }

  validation {
    condition     = length(distinct(var.schema.levels)) == length(var.schema.levels)
    error_message = "schema.levels names a level twice: a total would be counted under a path that repeats itself."
  }

  validation {
    condition     = alltrue([for name in concat(var.schema.levels, [var.schema.id, var.schema.version, var.schema.value, var.schema.timestamp, var.schema.deleted]) : trimspace(name) != ""])
    error_message = "The names of schema's fields and levels must not be empty (only hierarchy may be)."
  }

  validation {
    condition     = length(distinct([var.schema.id, var.schema.version, var.schema.value, var.schema.timestamp, var.schema.deleted, var.schema.hierarchy])) == 6
    error_message = "schema's id, version, value, timestamp, deleted and hierarchy must be six different fields."
  }
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
    memory_mb                   = optional(number, 512)
    timeout_seconds             = optional(number, 60)
    reserved_concurrency        = optional(number)
    enabled                     = optional(bool, true)
    batch_size                  = optional(number, 1000)
    batching_window_seconds     = optional(number, 1)
    parallelization_factor      = optional(number, 1)
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
  description = "Settings of MapLambda and its mapping: as in `modules/aggregation`."
  type        = any
  default     = {}
  nullable    = false
}

variable "reduce_function" {
  description = "Settings of ReduceLambda and its mapping: as in `modules/aggregation`."
  type        = any
  default     = {}
  nullable    = false
}

variable "reduce_lanes" {
  description = "Number of lanes over which the totals are spread: as in `modules/aggregation` (1)."
  type        = number
  default     = null
}

variable "delta_retention_seconds" {
  description = "Seconds after which a row of ReduceTable expires: as in `modules/aggregation` (two days)."
  type        = number
  default     = null
}

variable "write_threads" {
  description = "Threads with which State writes a batch."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.write_threads >= 1 && var.write_threads <= 32 && floor(var.write_threads) == var.write_threads
    error_message = "write_threads is a whole number from 1 to 32."
  }
}

variable "reduce_threads" {
  description = "Threads with which Reduce writes the totals of a batch: as in `modules/aggregation` (4)."
  type        = number
  default     = null
}

variable "freshness_seconds" {
  description = "Seconds that may pass from the arrival of a message until the totals contain it (30). An alarm goes off when one of the three functions is behind its stream by more than a third of these seconds."
  type        = number
  default     = null
}

variable "audit" {
  description = "When AuditLambda compares every total with a sum over StateTable: once a day by default, `null`: never. It scans both tables, which `leda cost` shows; `modules/aggregation` lists its attributes."
  type        = any
  default     = {}
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics to notify of alarms."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "dashboard" {
  description = "Whether to make a CloudWatch dashboard: as in `modules/aggregation` (true)."
  type        = bool
  default     = null
}

variable "capacity" {
  description = "Provisioned capacity with auto scaling instead of on-demand, by table: `state`, `reduce`, `aggregate` (the totals) and `registry`. `modules/table` lists the attributes of each; a table that is not named is on demand."
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
  description = "Name of the quarantine bucket: as in `modules/aggregation`."
  type        = string
  default     = null
}

variable "quarantine_retention_days" {
  description = "Days after which a quarantined message is deleted. `null`: never."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = <<-EOT
    ARN of a customer-managed KMS key for the stream, the tables, the bucket and the logs. Its policy must let CloudWatch Logs
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

variable "fault_injection" {
  description = <<-EOT
    The table whose rows `FAILURE_STATE_LAMBDA_PCT`, `FAILURE_MAP_LAMBDA_PCT` and `FAILURE_REDUCE_LAMBDA_PCT` say how often the
    functions fail on purpose. `null`: they never do, and read nothing. For tests and demonstrations.
  EOT
  type = object({
    parameter_table_name = string
    parameter_table_arn  = string
  })
  default = null
}
