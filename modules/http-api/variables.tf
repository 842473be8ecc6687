variable "name" {
  description = "Name of the API and of its access log (`/aws/vendedlogs/apigateway/<name>`)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{1,128}$", var.name))
    error_message = "An API's name has 1 to 128 letters, digits, underscores, dots or hyphens here, so that its log group can have it too."
  }
}

variable "description" {
  description = "What the API is for, for the console."
  type        = string
  default     = ""
  nullable    = false
}

variable "functions" {
  description = "The functions behind the routes, by a name of your choice: `name` and `arn`."
  type = map(object({
    name = string
    arn  = string
  }))
  nullable = false
}

variable "routes" {
  description = <<-EOT
    The routes by their keys, like `GET /orders/{id}`.
    - `function`: whose route it is, by its name in `functions`
    - `token`: whether it asks for a token of `jwt` (false)
    - `throttle`: `rate` and `burst` of its own (those of all routes)
  EOT
  type = map(object({
    function = string
    token    = optional(bool, false)
    throttle = optional(object({ rate = number, burst = number }))
  }))
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.routes) : can(regex("^(GET|POST|PUT|PATCH|DELETE) /[a-zA-Z0-9/_.{}-]*$", key))])
    error_message = "A route's key is a method and a path, like GET /orders/{id}. Neither ANY nor $default: what nobody has named is not there."
  }

  validation {
    condition     = alltrue([for route in values(var.routes) : contains(keys(var.functions), route.function)])
    error_message = "A route's function is one of `functions`."
  }
}

variable "jwt" {
  description = "Whose tokens the routes with `token` accept: the `issuer` (a URL) and the `audience` (client IDs). `null`: no route asks for one."
  type = object({
    issuer   = string
    audience = list(string)
  })
  default = null

  validation {
    condition     = var.jwt == null ? true : startswith(var.jwt.issuer, "https://") && length(var.jwt.audience) > 0
    error_message = "jwt.issuer is an https URL, and jwt.audience names at least one client: without, every client's tokens would do."
  }
}

variable "cors" {
  description = <<-EOT
    Which pages of other origins may call the API. `null`: none.
    - `origins`: like `https://shop.example.org`
    - `methods` (`GET` and `POST`), `headers` (`authorization` and `content-type`), `max_age_seconds` (3600)
  EOT
  type = object({
    origins         = list(string)
    methods         = optional(list(string), ["GET", "POST"])
    headers         = optional(list(string), ["authorization", "content-type"])
    max_age_seconds = optional(number, 3600)
  })
  default = null

  validation {
    condition     = var.cors == null ? true : alltrue([for origin in var.cors.origins : can(regex("^https?://[^/*]+$", origin))])
    error_message = "An origin is scheme and host, like https://shop.example.org: no path, and no wildcard."
  }
}

variable "throttle" {
  description = "Requests a second (`rate`) and at once (`burst`) that each route takes; more get 429."
  type = object({
    rate  = number
    burst = number
  })
  default  = { rate = 50, burst = 100 }
  nullable = false

  validation {
    condition     = var.throttle.rate > 0 && var.throttle.burst >= 1
    error_message = "throttle.rate is above 0 and throttle.burst at least 1."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the access log."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch knows these retentions: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key that encrypts the access log; its policy must let CloudWatch Logs (`logs.<region>.amazonaws.com`, in China `.amazonaws.com.cn`) use it. `null`: AWS's key."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not an ID or an alias."
  }
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics to notify when an alarm goes off, and when it ends."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_actions : can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[^:*]+$", arn))])
    error_message = "Each alarm action is the ARN of an SNS topic."
  }
}

variable "tags" {
  description = "Tags for all resources that take tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
