variable "packages_bucket" {
  description = "Bucket that holds the packages: where `scripts/build --publish s3://<bucket>/<prefix>` has put them."
  type        = string
  nullable    = false
}

variable "packages_prefix" {
  description = "Prefix of the packages in the bucket."
  type        = string
  nullable    = false
}

variable "producer_role_arn" {
  description = "ARN of the role in another account that puts orders."
  type        = string
  nullable    = false
}

variable "name_prefix" {
  description = "Prefix of all names. The default lets the example be applied beside the root module."
  type        = string
  default     = "Orders-"
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused while there is data. Set it to false, apply, then destroy."
  type        = bool
  default     = true
  nullable    = false
}
