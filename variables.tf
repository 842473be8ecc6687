# Most inputs are those of modules/aggregation-pipeline, which says what they may be, checks them and has their defaults: `null` here stands for its default.

variable "name_prefix" {
  description = "Prefix of all names. With different prefixes, several pipelines fit in one account and Region."
  type        = string
  default     = null
}

variable "schema" {
  description = "What a message looks like."
  type        = any
  default     = {}
  nullable    = false
}

variable "shard_count" {
  description = "Number of shards of the ingest stream. `null`: on-demand mode."
  type        = number
  default     = null
}

variable "stream_retention_hours" {
  description = "Hours for which the ingest stream keeps a message."
  type        = number
  default     = null
}

variable "producer_principals" {
  description = "ARNs of the principals of other accounts that may put messages."
  type        = list(string)
  default     = null
}

variable "state_function" {
  description = "Settings of StateLambda and its mapping."
  type        = any
  default     = null
}

variable "map_function" {
  description = "Settings of MapLambda and its mapping."
  type        = any
  default     = null
}

variable "reduce_function" {
  description = "Settings of ReduceLambda and its mapping."
  type        = any
  default     = null
}

variable "reduce_lanes" {
  description = "Number of lanes over which the totals are spread."
  type        = number
  default     = null
}

variable "freshness_seconds" {
  description = "Seconds that may pass from the arrival of a message until the totals contain it."
  type        = number
  default     = null
}

variable "dashboard" {
  description = "Whether to make a CloudWatch dashboard."
  type        = bool
  default     = null
}

variable "audit" {
  description = "When AuditLambda compares every total with a sum over StateTable: once a day by default, `null`: never. It scans both tables, which `leda cost` shows; `modules/aggregation` lists its attributes."
  type        = any
  default     = {}
}

variable "capacity" {
  description = "Provisioned capacity with auto scaling instead of on-demand, by table."
  type        = any
  default     = null
}

variable "quarantine_bucket_name" {
  description = "Name of the quarantine bucket."
  type        = string
  default     = null
}

variable "quarantine_retention_days" {
  description = "Days after which a quarantined message is deleted. `null`: never."
  type        = number
  default     = 365
}

variable "settings" {
  description = "What all functions have in common: packages, runtime, logs, tracing, VPC, permissions boundary, path and suffix of roles."
  type        = any
  default     = {}
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key for the stream, the tables, the bucket and the logs. `null`: AWS's keys."
  type        = string
  default     = null
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics to notify of alarms."
  type        = list(string)
  default     = null
}

variable "tags" {
  description = "Tags for all resources that take tags."
  type        = map(string)
  default     = null
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused, before anything is deleted. To destroy the stack, apply `false` first. The tables also have DynamoDB's deletion protection, and the quarantine bucket is deleted only if it is empty."
  type        = bool
  default     = true
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
