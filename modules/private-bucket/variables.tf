variable "name" {
  description = "Name of the bucket. It must be unique in all of AWS."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits or hyphens. (Dots are legal, but break TLS with the bucket's host name.)"
  }
}

variable "retention_days" {
  description = "Days after which objects expire, by the prefix of their keys, like `{ \"results/\" = 30 }`; the prefix `\"\"` is that of all objects. Objects under no prefix here stay."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for days in values(var.retention_days) : days >= 1 && floor(days) == days])
    error_message = "A retention is a whole number of days, at least 1."
  }
}

variable "noncurrent_retention_days" {
  description = "Days for which a version stays that was overwritten or deleted. `null`: it stays."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_retention_days == null ? true : var.noncurrent_retention_days >= 1 && floor(var.noncurrent_retention_days) == var.noncurrent_retention_days
    error_message = "noncurrent_retention_days is a whole number of at least 1."
  }
}

variable "readers" {
  description = "AWS services that may read the objects, each on behalf of one resource: `service`, like `cloudfront.amazonaws.com`, and `source_arn`."
  type = list(object({
    service    = string
    source_arn = string
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for reader in var.readers : can(regex("^[a-z0-9-]+\\.amazonaws\\.com$", reader.service))])
    error_message = "A reader's service is a service principal, like cloudfront.amazonaws.com."
  }

  validation {
    condition     = alltrue([for reader in var.readers : can(regex("^arn:[^*]+$", reader.source_arn))])
    error_message = "A reader's source_arn is the ARN of one resource, without wildcards."
  }
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key that encrypts the objects. `null`: S3's own keys (AES256)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not an ID or an alias."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete the bucket with the objects in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags of the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
}
