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
  description = "Days after which an object expires: the time there is to look at a bad message and to send it again. `null`: it stays, and so do versions that a retry has overwritten."
  type        = number
  default     = 365

  validation {
    condition     = var.retention_days == null ? true : var.retention_days >= 1 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days is a whole number of at least 1."
  }
}

variable "noncurrent_retention_days" {
  description = "Days for which a version stays that a retry has overwritten."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.noncurrent_retention_days >= 1 && floor(var.noncurrent_retention_days) == var.noncurrent_retention_days
    error_message = "noncurrent_retention_days is a whole number of at least 1."
  }
}

variable "kms_key_arn" {
  description = "ARN of an own KMS key that encrypts the objects. `null`: S3's own keys (AES256)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not an ID or an alias."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete the bucket with the messages in it."
  type        = bool
  default     = false
  nullable    = false
}
