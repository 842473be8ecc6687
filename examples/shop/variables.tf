variable "name_prefix" {
  description = "Prefix of all names."
  type        = string
  default     = ""
  nullable    = false
}

variable "cloudfront" {
  description = "Whether CloudFront serves the site."
  type        = bool
  default     = true
  nullable    = false
}

variable "site_url" {
  description = "URL of the site, without a slash at its end, where CloudFront does not serve it."
  type        = string
  default     = null
}

variable "site_bucket_name" {
  description = "Name of the site's bucket. `null`: `<name_prefix>shop-site-<account>-<region>` in lower case."
  type        = string
  default     = null
}

variable "single_shard" {
  description = "For emulators whose event source mappings have no tumbling window. Leave it `false` on AWS."
  type        = bool
  default     = false
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused while there is data. Set it to false, apply, then destroy."
  type        = bool
  default     = true
  nullable    = false
}
