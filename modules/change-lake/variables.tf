variable "name" {
  description = "Name of the delivery stream and of the workgroup; in lower case, with underscores for hyphens, of the Glue database."
  type        = string
  nullable    = false

  validation {
    # The role adds -delivery to it, and a role's name has up to 64 characters.
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,54}$", var.name))
    error_message = "The name has up to 55 letters, digits or hyphens and begins with a letter."
  }
}

variable "settings" {
  description = <<-EOT
    What this module shares with functions, as in `modules/function`, which explains it: `log_retention_days` (30), `permissions_boundary_arn` (none),
    `role_path` (`/`) and `global_name_suffix` (none).
  EOT
  type = object({
    log_retention_days       = optional(number, 30)
    permissions_boundary_arn = optional(string)
    role_path                = optional(string, "/")
    global_name_suffix       = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.settings.log_retention_days)
    error_message = "settings.log_retention_days: CloudWatch knows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }

  validation {
    condition     = can(regex("^[a-zA-Z0-9-_]{0,32}$", var.settings.global_name_suffix))
    error_message = "settings.global_name_suffix has up to 32 letters, digits, hyphens or underscores."
  }

  validation {
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    condition     = length(var.name) + length(var.settings.global_name_suffix) <= 55
    error_message = "A role's name, name with settings.global_name_suffix and `-delivery`, has at most 64 characters."
  }
}

variable "bucket_name" {
  description = "Name of the bucket: `changes/day=<date>/` (the table), `errors/` (what Firehose could not write there) and `results/` (Athena's). It must be unique in all of AWS."
  type        = string
  nullable    = false
}

variable "columns" {
  description = "The columns of the table: `name`, `type` (as Glue writes it, like `bigint`) and `comment`. A line of JSON that Firehose gets has fields of these names; a field that is missing is null."
  type = list(object({
    name    = string
    type    = string
    comment = optional(string, "")
  }))
  nullable = false

  validation {
    condition     = alltrue([for column in var.columns : can(regex("^[a-z][a-z0-9_]*$", column.name)) && column.name != "day"])
    error_message = "A column's name has lower-case letters, digits and underscores, and begins with a letter; day is the partition's."
  }

  validation {
    condition     = contains(var.columns[*].name, "sequence_number")
    error_message = "A change may be delivered twice: without a column sequence_number, no query could count it once."
  }
}

variable "queries" {
  description = "Queries to be saved in the workgroup, by their names: `description` and `sql`."
  type = map(object({
    description = string
    sql         = string
  }))
  default  = {}
  nullable = false
}

variable "first_day" {
  description = "The first day with changes, like `2026-01-31`. Athena looks for none before it."
  type        = string
  default     = "2025-01-01"
  nullable    = false

  validation {
    condition     = can(formatdate("YYYY", "${var.first_day}T00:00:00Z")) && length(var.first_day) == 10
    error_message = "first_day is a date like 2026-01-31."
  }
}

variable "buffering_seconds" {
  description = "Seconds for which Firehose collects changes before it writes an object: fewer are fresher, more make fewer and larger objects."
  type        = number
  default     = 300
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
    condition     = var.buffering_seconds >= 0 && var.buffering_seconds <= 900 && floor(var.buffering_seconds) == var.buffering_seconds
    error_message = "Firehose collects for 0 to 900 seconds."
  }
}

variable "scan_limit_mb" {
  description = "Megabytes that one query may scan; a query that would scan more is stopped."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html: at least 10,000,000 bytes
    condition     = var.scan_limit_mb >= 10 && floor(var.scan_limit_mb) == var.scan_limit_mb
    error_message = "scan_limit_mb is a whole number of at least 10."
  }
}

variable "retention_days" {
  description = "Days after which changes are removed. `null`: they stay."
  type        = number
  default     = null
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused while there are changes in the bucket, or queries in the workgroup's history."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key for the stream, the bucket, the results and the log; its policy must let CloudWatch Logs (`logs.<region>.amazonaws.com`, in China `.amazonaws.com.cn`) use it. `null`: AWS's keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not an ID or an alias."
  }
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics to notify when an alarm goes off, and when it ends."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_actions : can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[^:*]+$", arn))])
    error_message = "Each alarm action is the ARN of an SNS topic."
  }
}

variable "tags" {
  description = "Tags for all resources that take tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
