variable "name" {
  description = "Name of the bucket. It must be unique in all of AWS."
  type        = string
  nullable    = false
}

variable "retention_days" {
  description = "Days after which an object expires, and so the time in which an operator can look at a bad message and process it again. `null`: objects and their older versions are kept."
  type        = number
  default     = 365
}

variable "noncurrent_retention_days" {
  description = "Days after which a version expires that a retry has overwritten."
  type        = number
  default     = 30
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key that encrypts the objects. `null`: S3's own keys (AES256)."
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
