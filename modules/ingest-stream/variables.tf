variable "name" {
  description = "Name of the stream."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{1,128}$", var.name))
    error_message = "A stream's name has 1 to 128 letters, digits, underscores, dots or hyphens."
  }
}

variable "shard_count" {
  description = <<-EOT
    Number of shards. `null` lets Kinesis scale by itself (on-demand mode). One apply can at most double it and at least halve it, ten times in 24 hours
    ([UpdateShardCount](https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html)); further away, apply it in steps.
  EOT
  type        = number
  default     = null

  validation {
    condition     = var.shard_count == null ? true : var.shard_count >= 1 && floor(var.shard_count) == var.shard_count
    error_message = "shard_count is a whole number of at least 1, or null for on-demand mode."
  }
}

variable "retention_hours" {
  description = <<-EOT
    How long the stream keeps a record. The default of a week is the time there is to repair a consumer before
    messages are lost, and to replay the stream; a day, which is AWS's default, does not outlast a weekend.
  EOT
  type        = number
  default     = 168
  nullable    = false

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 8760 && floor(var.retention_hours) == var.retention_hours
    error_message = "Kinesis keeps records for 24 to 8760 hours (a year)."
  }
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key that encrypts the stream. `null`: the key that AWS manages (alias/aws/kinesis)."
  type        = string
  default     = null

  validation {
    # An ARN, and not an ID or an alias: policies of the functions name the key by it.
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not an ID or an alias."
  }
}

variable "producer_principals" {
  description = <<-EOT
    ARNs of the principals of other accounts that may put records: roles, users, or account roots
    (`arn:aws:iam::<account>:root`, which lets that account decide). Needs `kms_key_arn`.
  EOT
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.producer_principals : can(regex("^arn:[^:*]+:(iam|sts)::[0-9]{12}:[^*]+$", arn))])
    error_message = "Each producer is the ARN of one IAM principal. A wildcard would let anybody write to the stream."
  }

  validation {
    # https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html
    condition     = length(var.producer_principals) == 0 ? true : var.kms_key_arn != null
    error_message = "producer_principals needs kms_key_arn: other accounts cannot use the key that AWS manages for Kinesis, so their writes to the encrypted stream would be denied. Give a customer-managed key whose policy allows them kms:GenerateDataKey."
  }
}

variable "tags" {
  description = "Tags for all resources that take tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
