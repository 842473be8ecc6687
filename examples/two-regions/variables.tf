variable "first_region" {
  description = "The Region that was there first: its roles and dashboard have no suffix."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "second_region" {
  description = "The further Region, which is the suffix of its roles and dashboard."
  type        = string
  default     = "eu-central-1"
  nullable    = false

  validation {
    condition     = var.second_region != var.first_region
    error_message = "second_region is first_region: two pipelines in one Region need different values of name_prefix."
  }
}

variable "name_prefix" {
  description = "Prefix of all names, in both Regions."
  type        = string
  default     = ""
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused while there is data. Set it to false, apply, then destroy."
  type        = bool
  default     = true
  nullable    = false
}
