variable "name_prefix" {
  description = "Prefix of all names. With different prefixes, several captures fit in one account and Region."
  type        = string
  default     = ""
  nullable    = false

  validation {
    # 20: with the account and the region, the bucket's name stays within 63 characters.
    condition     = can(regex("^([a-zA-Z][a-zA-Z0-9-]{0,19})?$", var.name_prefix))
    error_message = "name_prefix has up to 20 letters, digits or hyphens and begins with a letter."
  }
}

variable "table" {
  description = <<-EOT
    The table whose changes are captured, by its stream: `stream_arn`, of a table in this account and region whose stream carries
    `NEW_AND_OLD_IMAGES`. `null`: the module makes `Users` (`user_id`, `timestamp`).
  EOT
  type = object({
    stream_arn = string
  })
  default = null

  validation {
    condition     = var.table == null ? true : can(regex("^arn:[^:]+:dynamodb:[^:]+:[0-9]{12}:table/[^/*]+/stream/[^/*]+$", var.table.stream_arn))
    error_message = "table.stream_arn is the ARN of a table's stream (arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>)."
  }
}

variable "ttl_attribute" {
  description = "Attribute of `Users` with the time (epoch seconds) after which DynamoDB removes an item: the event is then `expire`. `null`: items stay."
  type        = string
  default     = null
}

variable "redacted_attributes" {
  description = <<-EOT
    Names of attributes whose values are in no log line and no notification, keys and attributes within maps included: they stand there
    as `[redacted]`. A key that is redacted cannot be searched for.
  EOT
  type        = list(string)
  default     = []
  nullable    = false
}

variable "notify" {
  description = <<-EOT
    An SNS message for each change that matches a filter. `null`: off.
    - `topic`: a topic to publish to, by its `arn`; not a FIFO topic. `null`: the module makes one
    - `emails`: addresses that are subscribed to the topic, and must confirm it (none)
    - `filter_patterns`: event patterns in JSON, of which a change must match one (all changes are published). A pattern looks at the
      change as the log has it, before redaction: `event`, `table`, `keys`, `changed` with `old` and `new`
  EOT
  type = object({
    topic           = optional(object({ arn = string }))
    emails          = optional(list(string), [])
    filter_patterns = optional(list(string), [])
  })
  default = null

  validation {
    condition     = try(var.notify.topic, null) == null ? true : can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[^:*]+$", var.notify.topic.arn)) && !endswith(var.notify.topic.arn, ".fifo")
    error_message = "notify.topic.arn is the ARN of an SNS topic that is not FIFO: Lambda delivers again out of order, and a FIFO topic would promise an order that the messages do not have."
  }

  validation {
    condition     = var.notify == null ? true : alltrue([for address in var.notify.emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "Each of notify.emails is one e-mail address."
  }

  validation {
    condition     = alltrue([for pattern in try(var.notify.filter_patterns, []) : can(keys(jsondecode(pattern))) && try(length(jsondecode(pattern)) > 0, false)])
    error_message = "Each of notify.filter_patterns is a JSON object with at least one field: jsonencode({ event = [\"update\"] })."
  }

  validation {
    # In a pattern's JSON an object stands behind a bracket or a comma only as a rule in a list.
    condition = alltrue(flatten([
      for pattern in try(var.notify.filter_patterns, []) : [
        for rule in try(regexall("[\\[,]\\{\"([^\"]*)\"", jsonencode(jsondecode(pattern))), []) :
        contains(["prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists"], rule[0])
      ]
    ]))
    error_message = "The rules of notify.filter_patterns are prefix, suffix, equals-ignore-case, anything-but, numeric and exists."
  }

  validation {
    # Lambda's environment variables have 4 KB together. Terraform counts characters, base64 the bytes (4 for 3).
    condition     = length(base64encode(join(",", try(var.notify.filter_patterns, [])))) * 3 / 4 <= 2000
    error_message = "notify.filter_patterns have more than 2000 bytes: publish more, and let each subscription filter by the messages' attributes."
  }
}

variable "replica" {
  description = <<-EOT
    A copy of the table in another table, which may be in another Region or account. `null`: off.
    - `table_arn`: the replica, with the source's key and nobody else who writes to it
    - `role_arn`: role to assume for it (none: the function's own role writes; in another account the table's resource policy must then allow it)
    - `kms_key_arn`: a customer-managed key of the replica (none)
    - `place_attribute`: attribute that the replica's rows have beside the source's: which change they show (`_replica_place`)
    - `end_attribute`: attribute that only tombstones of removed items have: when they end, in epoch seconds. Make it the replica's
      TTL attribute (`_replica_end`)
    - `tombstone_seconds`: how long a tombstone stays, at least two days (604800, a week)
  EOT
  type = object({
    table_arn         = string
    role_arn          = optional(string)
    kms_key_arn       = optional(string)
    place_attribute   = optional(string, "_replica_place")
    end_attribute     = optional(string, "_replica_end")
    tombstone_seconds = optional(number, 604800)
  })
  default = null

  validation {
    condition     = var.replica == null ? true : can(regex("^arn:[^:]+:dynamodb:[^:]+:[0-9]{12}:table/[^/*]+$", var.replica.table_arn))
    error_message = "replica.table_arn is the ARN of a table (arn:aws:dynamodb:<region>:<account>:table/<name>)."
  }

  validation {
    condition     = try(var.replica.role_arn, null) == null ? true : can(regex("^arn:[^:]+:iam::[0-9]{12}:role/[^*]+$", var.replica.role_arn))
    error_message = "replica.role_arn is the ARN of a role (arn:aws:iam::<account>:role/<name>)."
  }

  validation {
    condition     = try(var.replica.kms_key_arn, null) == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.replica.kms_key_arn))
    error_message = "replica.kms_key_arn is the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not an ID or an alias."
  }

  validation {
    condition     = var.replica == null ? true : var.replica.place_attribute != "" && var.replica.end_attribute != "" && var.replica.place_attribute != var.replica.end_attribute
    error_message = "replica.place_attribute and replica.end_attribute are two different names."
  }

  validation {
    # The stream keeps a change for a day; what the mapping gave up and somebody sends again comes later.
    condition     = var.replica == null ? true : var.replica.tombstone_seconds >= 172800 && floor(var.replica.tombstone_seconds) == var.replica.tombstone_seconds
    error_message = "replica.tombstone_seconds is at least 172800 (two days): a change that is delivered again after its item's tombstone is gone would bring the item back."
  }
}

variable "metrics" {
  description = "Counts of changes by table and kind (create, update, delete, expire): the metric `Changes` in the namespace `LEDA`. `{}`: on, `null`: off."
  type        = object({})
  default     = null
}

variable "saved_query" {
  description = "Whether to save a query in CloudWatch Logs Insights that answers what happened to one item."
  type        = bool
  default     = true
  nullable    = false
}

variable "capture_function" {
  description = <<-EOT
    Settings of the function that logs, counts and notifies, and of its mapping; `modules/stream-function` explains the mapping's.
    - `memory_mb` (512), `timeout_seconds` (60), `reserved_concurrency` (none)
    - `enabled` (true), `batch_size` (1000), `batching_window_seconds` (0), `parallelization_factor` (1), up to 10
    - `maximum_retry_attempts` (-1), `maximum_record_age_seconds` (82800: an hour before the stream forgets a change)
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
    maximum_record_age_seconds = optional(number)
  })
  default  = {}
  nullable = false
}

variable "replica_function" {
  description = <<-EOT
    Settings of the function that keeps the replica, and of its mapping. It tries for as long as the stream has the change.
    - `memory_mb` (512), `timeout_seconds` (60), `reserved_concurrency` (none)
    - `enabled` (true), `batch_size` (1000), `batching_window_seconds` (0), `parallelization_factor` (1), up to 10
  EOT
  type = object({
    memory_mb               = optional(number, 512)
    timeout_seconds         = optional(number, 60)
    reserved_concurrency    = optional(number)
    enabled                 = optional(bool, true)
    batch_size              = optional(number, 1000)
    batching_window_seconds = optional(number, 0)
    parallelization_factor  = optional(number, 1)
  })
  default  = {}
  nullable = false
}

variable "freshness_seconds" {
  description = "Seconds that may pass from a change until it is in the log and in the replica. An alarm goes off when a function is behind the stream by more than a third of these seconds."
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
  description = "Whether `terraform destroy` is refused before anything is deleted, unless `false` was applied before. The table is protected by itself, too, and the quarantine bucket is only deleted when it is empty."
  type        = bool
  default     = true
  nullable    = false
}

variable "quarantine_bucket_name" {
  description = "Name of the quarantine bucket. `null`: `<name_prefix>leda-changes-<account>-<region>` in lower case."
  type        = string
  default     = null
}

variable "quarantine_retention_days" {
  description = "Days after which what was put into quarantine is deleted. `null`: it stays."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = <<-EOT
    ARN of a customer-managed KMS key for what the module makes: table, topic, bucket, logs. Its policy must let CloudWatch Logs use it. A given table
    or topic with a customer-managed key needs the same one here. `null`: AWS's keys.
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
