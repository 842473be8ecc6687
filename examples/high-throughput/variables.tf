variable "name_prefix" {
  description = "Prefix of all names. The default lets the example be applied beside the root module."
  type        = string
  default     = "Fast-"
  nullable    = false
}

variable "packages" {
  description = "Where the functions' packages are; the default is the checkout's `build/`."
  # A map and not an object: its keys are known at the plan even where the bucket's name is not.
  type     = map(string)
  default  = {}
  nullable = false
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics to notify of alarms."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused while there is data. Set it to false, apply, then destroy."
  type        = bool
  default     = true
  nullable    = false
}
