variable "name_prefix" {
  description = "Prefix of all names."
  type        = string
  default     = ""
  nullable    = false
}

variable "email" {
  description = "Address that gets the notifications as e-mails, once it has confirmed the subscription. `null`: none."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused while there is data. Set it to false, apply, then destroy."
  type        = bool
  default     = true
  nullable    = false
}
