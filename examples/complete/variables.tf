variable "name_prefix" {
  description = "Prefix of all names. The default lets the example be applied beside the root module."
  type        = string
  default     = "Meters-"
  nullable    = false
}

variable "producer_principals" {
  description = "ARNs of the principals of other accounts that put readings."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "packages" {
  description = "Where the functions' packages are; the default is the checkout's `build/`."
  # A map and not an object: its keys are known at the plan even where the bucket's name is not.
  type     = map(string)
  default  = {}
  nullable = false
}

variable "reserve_concurrency" {
  description = "Whether to reserve executions for the functions, 40 in all. Lambda keeps 100 of the account's limit unreserved, so the limit must be at least 140; that of a new account may be 10 (`aws lambda get-account-settings`)."
  type        = bool
  default     = false
  nullable    = false
}

variable "vpc" {
  description = "The VPC that the functions run in: `subnet_ids`, from which they reach AWS's services, and `security_group_ids`. `null`: none."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary that the account asks of every role. `null`: none."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused while there is data. Set it to false, apply, then destroy."
  type        = bool
  default     = true
  nullable    = false
}
