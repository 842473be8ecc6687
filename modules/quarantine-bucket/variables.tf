variable "name" {
  description = "Name of the bucket. It must be unique in all of AWS."
  type        = string
  nullable    = false
}

variable "retention_days" {
  description = "Days after which an object expires: the time there is to look at a bad message and to send it again. `null`: it stays, and so do versions that a retry has overwritten."
  type        = number
  default     = 365
}

variable "noncurrent_retention_days" {
  description = "Days for which a version stays that a retry has overwritten."
  type        = number
  default     = 30
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of an own KMS key that encrypts the objects. `null`: S3's own keys (AES256)."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete the bucket with the messages in it."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of the bucket."
  type        = map(string)
  default     = {}
}
