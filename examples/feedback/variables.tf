variable "name_prefix" {
  description = "Prefix of all names."
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
