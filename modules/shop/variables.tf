variable "name_prefix" {
  description = "Prefix of all names. With different prefixes, several shops fit in one account and Region."
  type        = string
  default     = ""
  nullable    = false

  validation {
    # 20: with the account and the region, the buckets' names stay within 63 characters.
    condition     = can(regex("^([a-zA-Z][a-zA-Z0-9-]{0,19})?$", var.name_prefix))
    error_message = "name_prefix has up to 20 letters, digits or hyphens and begins with a letter."
  }
}

variable "site_directory" {
  description = "Folder with the site's files: `index.html`, `operators.html` and `404.html` at least. The module adds `config.json`, from which the pages learn where the API and the sign-in are."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists("${var.site_directory}/operators.html")
    error_message = "The folder has no operators.html, where operators come back to from the sign-in."
  }
}

variable "cloudfront" {
  description = "Whether CloudFront serves the site. Without it the bucket is there, and `site_url` says where else the files are served."
  type        = bool
  default     = true
  nullable    = false
}

variable "site_url" {
  description = "URL of the site, without a slash at its end, where CloudFront does not serve it: the API lets its pages call, and operators come back to its `operators.html`."
  type        = string
  default     = null

  validation {
    condition     = var.cloudfront ? var.site_url == null : can(regex("^https?://[^/]+(/.*[^/])?$", var.site_url))
    error_message = "site_url is a URL without a slash at its end, and is given if and only if cloudfront is false."
  }
}

variable "operators_mfa" {
  description = "Whether operators need a one-time password of an authenticator: `ON`, `OPTIONAL` or `OFF`."
  type        = string
  default     = "ON"
  nullable    = false
}

variable "throttle" {
  description = "Requests a second (`rate`) and at once (`burst`) that each route takes; more get 429."
  type = object({
    rate  = number
    burst = number
  })
  default  = { rate = 50, burst = 100 }
  nullable = false
}

variable "orders" {
  description = <<-EOT
    What limits orders, which anybody can make before anything is paid.
    - `pay_within_minutes` (1440): an order that is not paid by then expires, and its quantities return to stock
    - `most_unpaid` (20): how many unpaid orders a customer may have at a time
    - `throttle` (`{ rate = 5, burst = 20 }`): how many orders a second (`rate`) and at once (`burst`) are taken from all customers together
  EOT
  type = object({
    pay_within_minutes = optional(number, 1440)
    most_unpaid        = optional(number, 20)
    throttle           = optional(object({ rate = number, burst = number }), { rate = 5, burst = 20 })
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for number in [var.orders.pay_within_minutes, var.orders.most_unpaid] : number >= 1 && number == floor(number)])
    error_message = "orders.pay_within_minutes and orders.most_unpaid are whole numbers of at least 1."
  }
}

variable "single_shard" {
  description = "For emulators whose event source mappings have no tumbling window; `modules/aggregation` explains it. Leave it `false` on AWS."
  type        = bool
  default     = false
  nullable    = false
}

variable "batch_size" {
  description = "Maximum number of changes in a batch that a reader of the table's stream gets."
  type        = number
  default     = 100
  nullable    = false
}

variable "lake" {
  description = <<-EOT
    Settings of the lake; `modules/change-lake` explains them.
    - `buffering_seconds` (300), `scan_limit_mb` (1024), `retention_days` (none), `first_day` (2025-01-01)
  EOT
  type = object({
    buffering_seconds = optional(number, 300)
    scan_limit_mb     = optional(number, 1024)
    retention_days    = optional(number)
    first_day         = optional(string, "2025-01-01")
  })
  default  = {}
  nullable = false
}

variable "freshness_seconds" {
  description = "Seconds that may pass from an order until counts and vendor orders contain it. An alarm goes off when a reader is behind the table's stream by more than a third of these seconds."
  type        = number
  default     = 30
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics to notify of alarms."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused before anything is deleted, unless `false` was applied before. Tables and operators are protected by themselves, too, and buckets are only deleted when they are empty."
  type        = bool
  default     = true
  nullable    = false
}

variable "site_bucket_name" {
  description = "Name of the site's bucket. `null`: `<name_prefix>shop-site-<account>-<region>` in lower case."
  type        = string
  default     = null
}

variable "lake_bucket_name" {
  description = "Name of the lake's bucket. `null`: `<name_prefix>shop-lake-<account>-<region>` in lower case."
  type        = string
  default     = null
}

variable "quarantine_bucket_name" {
  description = "Name of the quarantine bucket. `null`: `<name_prefix>leda-shop-<account>-<region>` in lower case."
  type        = string
  default     = null
}

variable "quarantine_retention_days" {
  description = "Days after which a quarantined change is deleted. `null`: it stays."
  type        = number
  default     = 365
}

variable "sign_in_domain_prefix" {
  description = "First part of the sign-in page's host name. `null`: `<name_prefix>shop-<account>` in lower case."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = <<-EOT
    ARN of a customer-managed KMS key for the tables, the buckets, the delivery stream and the logs. Its policy must let CloudWatch Logs and,
    for the site, CloudFront use it. `null`: AWS's keys.
  EOT
  type        = string
  default     = null
}

variable "settings" {
  description = "What all functions have in common, and the roles and logs beside them: packages, runtime, logs, tracing, VPC, permissions boundary, path and suffix of roles. `modules/function` lists its attributes."
  type        = any
  default     = {}
  nullable    = false
}

variable "tags" {
  description = "Tags for all resources that take tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
