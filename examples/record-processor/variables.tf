variable "name_prefix" {
  description = "Prefix of all names. `Readings-` follows it in the names of the second processor."
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
