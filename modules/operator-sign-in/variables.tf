variable "name" {
  description = "Name of the user pool."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_ +=,.@-]{1,120}$", var.name))
    error_message = "A pool's name has 1 to 120 letters, digits, spaces or _ + = , . @ -."
  }
}

variable "domain_prefix" {
  description = "First part of the sign-in page's host name, `<domain_prefix>.auth.<region>.amazoncognito.com`. It must be unique in the region."
  type        = string
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html
    condition     = can(regex("^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", var.domain_prefix)) && !can(regex("aws|amazon|cognito", var.domain_prefix))
    error_message = "domain_prefix has up to 63 lower-case letters, digits or hyphens, and none of the words aws, amazon and cognito."
  }
}

variable "page_urls" {
  description = "URLs of the pages that operators come back to, signed in or signed out."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.page_urls) > 0 && alltrue([for url in var.page_urls : can(regex("^(https://[^/*#]+|http://(localhost|127\\.0\\.0\\.1)(:[0-9]+)?)/[^*#]*$", url))])
    error_message = "Each page is a whole https URL, without wildcard and fragment; http is only for this machine itself (http://localhost or http://127.0.0.1)."
  }
}

variable "mfa" {
  description = "Whether a one-time password of an authenticator is asked for: `ON`, `OPTIONAL` (of those who have set one up) or `OFF`."
  type        = string
  default     = "ON"
  nullable    = false

  validation {
    condition     = contains(["ON", "OPTIONAL", "OFF"], var.mfa)
    error_message = "mfa is ON, OPTIONAL or OFF."
  }
}

variable "token_minutes" {
  description = "Minutes for which a token is accepted. A token that was stolen, or whose operator has left, works until then."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.token_minutes >= 5 && var.token_minutes <= 1440 && floor(var.token_minutes) == var.token_minutes
    error_message = "Tokens are accepted for 5 to 1440 minutes."
  }
}

variable "deletion_protection" {
  description = "Whether Cognito refuses to delete the pool, and `terraform destroy` with it."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags for all resources that take tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
