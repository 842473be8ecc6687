# What is not checked here is passed on to modules/function, which checks it.

variable "name" {
  description = "Name of the function, of its role and of its log group (`/aws/lambda/<name>`)."
  type        = string
  nullable    = false
}

variable "service" {
  description = "Name of the service in the function's metrics and log lines, like `MapLambda`: the same whatever the name's prefix."
  type        = string
  nullable    = false
}

variable "description" {
  description = "What the function does, for the console."
  type        = string
  default     = ""
}

variable "package" {
  description = "Name of the package that holds the code: `<package>.zip`, and its entry in `packages.json`."
  type        = string
  nullable    = false
}

variable "event_source" {
  description = <<-EOT
    The stream that the function reads: its `kind` (`kinesis` or `dynamodb`), its ARN (of a table's stream, not of the table), and
    for Kinesis `retention_hours`, how long it keeps a record (24, as Kinesis does by itself). A table's stream keeps a record for 24 hours.
  EOT
  type = object({
    kind            = string
    arn             = string
    retention_hours = optional(number, 24)
  })
  nullable = false

  validation {
    condition     = contains(["kinesis", "dynamodb"], var.event_source.kind)
    error_message = "event_source.kind is kinesis or dynamodb."
  }

  validation {
    condition     = var.event_source.kind == "kinesis" ? var.event_source.retention_hours >= 24 && var.event_source.retention_hours <= 8760 : var.event_source.retention_hours == 24
    error_message = "event_source.retention_hours is 24 to 8760 for a Kinesis stream, and 24 for a table's stream."
  }

  validation {
    condition = (
      var.event_source.kind == "kinesis"
      ? can(regex("^arn:[^:]+:kinesis:[^:]+:[0-9]{12}:stream/[^/*]+$", var.event_source.arn))
      : can(regex("^arn:[^:]+:dynamodb:[^:]+:[0-9]{12}:table/[^/*]+/stream/[^/*]+$", var.event_source.arn))
    )
    error_message = "event_source.arn is the ARN of a stream of event_source.kind: arn:aws:kinesis:<region>:<account>:stream/<name>, or arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>."
  }
}

variable "exactly_once" {
  description = <<-EOT
    Whether the function applies each record exactly once, with a checkpoint per shard that is written together with the
    records' effect. Such a function needs its records in order and without gaps, so the settings of `function`
    that would break this are refused. `false`: the function is idempotent record by record.
  EOT
  type        = bool
  nullable    = false
}

variable "function" {
  description = <<-EOT
    The event source function. Defaults depend on `exactly_once` where two are given (true / false).
    - `enabled`: whether the mapping delivers (true)
    - `batch_size`: most records of a batch, 1 to 10000 (1000)
    - `batching_window_seconds`: how long a batch may wait to fill up, 0 to 300 (0)
    - `parallelization_factor`: batches of one shard in flight at once, 1 to 10 (1)
    - `maximum_retry_attempts`: retries before a batch goes to the failure destination, 0 to 10000; -1: until the record expires or is too old (-1)
    - `maximum_record_age_seconds`: age beyond which a record goes to the failure destination, 60 to 604800; -1: none (-1 / an hour less than the
      stream keeps it, at most the week that Lambda allows)
    - `bisect`: whether a failed batch is cut in two and tried again (false). For functions that fail because of a single record
    - `tumbling_window_seconds`: length of the tumbling window, which makes Lambda name the shard in the event, 0 (none) to 900 (900 for DynamoDB with exactly_once, else 0); only with exactly_once
    - `filter_patterns`: only records that match one of these JSON patterns are delivered (all)
    - `starting_position`: where a new mapping begins (`TRIM_HORIZON`, the oldest record). Only without exactly_once: `LATEST`, with what is written after its
      first poll, some minutes after the apply; `AT_TIMESTAMP` (Kinesis), with what was written at `starting_position_timestamp` or later, like
      `2026-01-01T00:00:00Z`. A change replaces the mapping, and the new one begins there

    The mapping always reports partial batch failures.
  EOT
  type = object({
    memory_mb                   = optional(number)
    timeout_seconds             = optional(number)
    reserved_concurrency        = optional(number)
    enabled                     = optional(bool, true)
    batch_size                  = optional(number, 1000)
    batching_window_seconds     = optional(number, 0)
    parallelization_factor      = optional(number, 1)
    maximum_retry_attempts      = optional(number)
    maximum_record_age_seconds  = optional(number)
    bisect                      = optional(bool, false)
    tumbling_window_seconds     = optional(number)
    filter_patterns             = optional(list(string), [])
    starting_position           = optional(string, "TRIM_HORIZON")
    starting_position_timestamp = optional(string)
  })
  default  = {}
  nullable = false

  # Ranges: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html (the same for Kinesis)
  validation {
    condition     = var.function.batch_size >= 1 && var.function.batch_size <= 10000
    error_message = "function.batch_size is 1 to 10000 for streams."
  }

  # The API reference says that a batch of more than 10 records needs a window of at least a second. That holds for
  # SQS: for streams AWS's own defaults are 100 records and 0 seconds (the page above).
  validation {
    condition     = var.function.batching_window_seconds >= 0 && var.function.batching_window_seconds <= 300
    error_message = "function.batching_window_seconds is 0 to 300."
  }

  validation {
    condition     = var.function.parallelization_factor >= 1 && var.function.parallelization_factor <= 10
    error_message = "function.parallelization_factor is 1 to 10."
  }

  validation {
    condition     = var.function.maximum_retry_attempts == null ? true : var.function.maximum_retry_attempts >= -1 && var.function.maximum_retry_attempts <= 10000
    error_message = "function.maximum_retry_attempts is 0 to 10000, or -1 for no limit."
  }

  validation {
    # 0 to 59 are accepted by some clients and refused by the service.
    condition     = var.function.maximum_record_age_seconds == null ? true : var.function.maximum_record_age_seconds == -1 || (var.function.maximum_record_age_seconds >= 60 && var.function.maximum_record_age_seconds <= 604800)
    error_message = "function.maximum_record_age_seconds is 60 to 604800 (a week), or -1 for no limit."
  }

  validation {
    condition     = var.function.tumbling_window_seconds == null ? true : var.function.tumbling_window_seconds >= 0 && var.function.tumbling_window_seconds <= 900
    error_message = "function.tumbling_window_seconds is 0 (none) to 900."
  }

  validation {
    condition     = length(var.function.filter_patterns) <= 5
    error_message = "A mapping has at most 5 filter patterns."
  }

  # https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
  validation {
    condition     = contains(["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"], var.function.starting_position)
    error_message = "function.starting_position is TRIM_HORIZON, LATEST or AT_TIMESTAMP."
  }

  validation {
    condition     = (var.function.starting_position == "AT_TIMESTAMP") == (var.function.starting_position_timestamp != null)
    error_message = "function.starting_position_timestamp belongs to starting_position = \"AT_TIMESTAMP\", which needs it."
  }

  validation {
    condition     = var.function.starting_position_timestamp == null ? true : can(timeadd(var.function.starting_position_timestamp, "0s"))
    error_message = "function.starting_position_timestamp is a time of RFC 3339, like 2026-01-01T00:00:00Z."
  }

  validation {
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
    condition     = var.event_source.kind == "kinesis" || var.function.starting_position != "AT_TIMESTAMP"
    error_message = "function.starting_position is TRIM_HORIZON or LATEST on a table's stream: Lambda cannot begin at a time there."
  }

  # What exactly-once needs of the function.
  validation {
    condition     = !var.exactly_once || var.function.starting_position == "TRIM_HORIZON"
    error_message = "function.starting_position must be TRIM_HORIZON with exactly_once: a mapping that begins later leaves records out, whenever it is replaced, and the totals would lack them."
  }

  validation {
    condition     = !var.exactly_once || var.function.parallelization_factor == 1
    error_message = "function.parallelization_factor must be 1 with exactly_once: several batches of one shard at once arrive out of order, and the checkpoint would move past records that are not applied yet. They would be lost."
  }

  validation {
    condition     = !var.exactly_once || coalesce(var.function.maximum_retry_attempts, -1) == -1
    error_message = "function.maximum_retry_attempts must be -1 (no limit) with exactly_once: a batch that Lambda gives up is a batch that the totals lack. A record that cannot be processed is quarantined by the function itself."
  }

  validation {
    condition     = !var.exactly_once || coalesce(var.function.maximum_record_age_seconds, -1) == -1
    error_message = "function.maximum_record_age_seconds must be -1 (no limit) with exactly_once: records that are dropped for their age are missing from the totals."
  }

  validation {
    condition     = !var.exactly_once || !var.function.bisect
    error_message = "function.bisect must be false with exactly_once: the function quarantines a bad record by itself, so a batch that fails has met a failing service, and halves of it only multiply the calls."
  }

  validation {
    condition     = !var.exactly_once || var.event_source.kind != "dynamodb" || coalesce(var.function.tumbling_window_seconds, 900) > 0
    error_message = "function.tumbling_window_seconds must be 1 to 900 with exactly_once on a DynamoDB stream: only a mapping with a tumbling window names the shard in its events, and the checkpoint is kept per shard."
  }

  # What any function needs of it.
  validation {
    # https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html (the same for DynamoDB): an answer without `state` is a failed invocation.
    condition     = var.exactly_once || coalesce(var.function.tumbling_window_seconds, 0) == 0
    error_message = "function.tumbling_window_seconds must be 0 without exactly_once: a mapping with a tumbling window takes an answer without `state` for a failure, and only functions that keep a checkpoint per shard answer with it. Every batch would fail."
  }

  validation {
    # What the stream has forgotten cannot be sent anywhere.
    condition = (
      var.exactly_once
      || coalesce(var.function.maximum_retry_attempts, -1) >= 0
      || (var.function.maximum_record_age_seconds == null ? true : var.function.maximum_record_age_seconds > 0 && var.function.maximum_record_age_seconds < var.event_source.retention_hours * 3600)
    )
    error_message = "function.maximum_record_age_seconds must be less than the stream keeps a record (event_source.retention_hours) without exactly_once and with unlimited retries: a batch that always fails would block its shard until the stream has forgotten its records, and they would be lost. With this limit they reach the failure destination first."
  }
}

variable "quarantine_bucket" {
  description = <<-EOT
    The S3 bucket, by `name` and `arn`, for what cannot be processed: the records that the function quarantines, under `<name>/`, and the batches that the
    mapping gives up, whole, under `aws/lambda/<mapping>/<shard>/`.
  EOT
  type = object({
    name = string
    arn  = string
  })
  nullable = false

  validation {
    condition     = can(regex("^arn:[^:]+:s3:::[^/*]+$", var.quarantine_bucket.arn))
    error_message = "quarantine_bucket.arn is the ARN of an S3 bucket (arn:aws:s3:::<name>)."
  }
}

variable "quarantines" {
  description = "Whether the function itself quarantines records. `false`: it has neither the right nor the alarm."
  type        = bool
  default     = true
  nullable    = false
}

variable "freshness_seconds" {
  description = "Seconds that may pass from the arrival of a message until the totals contain it. The alarm on the iterator's age goes off at a third of these seconds, because three functions in a row share them."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.freshness_seconds >= 3
    error_message = "freshness_seconds is at least 3: below, a third of it is less than the second that a poll may take."
  }
}

variable "environment" {
  description = "Environment variables, beside those of Powertools and `QUARANTINE_BUCKET`, which the modules set."
  type        = map(string)
  default     = {}
}

variable "policy_statements" {
  description = "What the function's role may do besides writing its logs, reading its stream and writing to the quarantine: as in `modules/function`."
  type        = any
  default     = []
}

variable "settings" {
  description = "What all functions of a stack have in common: as in `modules/function`."
  type        = any
  default     = {}
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key: as in `modules/function`."
  type        = string
  default     = null
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics to notify when an alarm goes off, and when it ends."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags for all resources that take tags."
  type        = map(string)
  default     = {}
}
