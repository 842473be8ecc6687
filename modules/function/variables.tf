variable "name" {
  description = "Name of the function, of its role and of its log group (`/aws/lambda/<name>`)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9-_]{1,64}$", var.name))
    error_message = "A function's name has 1 to 64 letters, digits, hyphens or underscores."
  }
}

variable "global_name_suffix" {
  description = <<-EOT
    Appended to the names that an account has only once, whatever the Region: that of the function's IAM role. `""` in the Region that was
    there first; in each further Region a text of its own, like `-eu-central-1`. A change replaces it.
  EOT
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9-_]{0,32}$", var.global_name_suffix))
    error_message = "global_name_suffix has up to 32 letters, digits, hyphens or underscores."
  }

  validation {
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    condition     = length(var.name) + length(var.global_name_suffix) <= 64
    error_message = "A role's name, name with global_name_suffix, has at most 64 characters."
  }
}

variable "description" {
  description = "What the function does, for the console."
  type        = string
  default     = ""
  nullable    = false
}

variable "package" {
  description = "Name of the package that holds the code: `<package>.zip`, and its entry in `packages.json`."
  type        = string
  nullable    = false
}

variable "packages" {
  description = <<-EOT
    Where the packages are. Either
    - `directory`: a folder with the zips. The default is the checkout's `build/`, which `make build` fills; or
    - `bucket` and `prefix`: what `scripts/build --publish s3://bucket/prefix` has uploaded, for accounts without a checkout.
      The bucket must hold the packages when they are read: at the plan, or at the apply where the plan does not know its name.
  EOT
  # A map and not an object: its keys are known at the plan even where the bucket's name is not.
  type     = map(string)
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.packages), ["directory", "bucket", "prefix"])) == 0
    error_message = "packages has a directory, or a bucket and a prefix, and nothing else."
  }

  validation {
    condition     = contains(keys(var.packages), "bucket") ? var.packages["bucket"] != null : true
    error_message = "packages.bucket is null: leave it out where the packages are in a folder."
  }

  validation {
    condition     = contains(keys(var.packages), "bucket") ? lookup(var.packages, "directory", null) == null : true
    error_message = "packages names a directory or a bucket, not both."
  }

  validation {
    condition     = contains(keys(var.packages), "bucket") ? true : lookup(var.packages, "prefix", null) == null
    error_message = "packages.prefix is a prefix in packages.bucket, which is not set."
  }
}

variable "handler" {
  description = "Entry point in the package."
  type        = string
  default     = "handler.lambda_handler"
  nullable    = false
}

variable "runtime" {
  description = "Lambda runtime."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = can(regex("^python3\\.1[1-9]$", var.runtime))
    error_message = "The code needs Python 3.11 or later: python3.11, python3.12, python3.13, ..."
  }
}

variable "architecture" {
  description = "Processor: `arm64` (cheaper) or `x86_64`. The packages are pure Python and run on both."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is arm64 or x86_64."
  }
}

variable "memory_mb" {
  description = "Memory in MB; the processor's share grows with it."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "Lambda gives a function 128 to 10240 MB."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which Lambda ends an invocation."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "A function runs for 1 to 900 seconds."
  }
}

variable "reserved_concurrency" {
  description = "Executions that are reserved for the function, taken from the account's limit. `null`: none reserved, none capped."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency is a whole number of at least 1 (0 would stop the function for good), or null."
  }
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "policy_statements" {
  description = "What the function's role may do besides writing its logs: exact actions on exact ARNs, where needed under `conditions` (operator -> key -> values)."
  type = list(object({
    sid        = string
    actions    = list(string)
    resources  = list(string)
    conditions = optional(map(map(list(string))), {})
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for action in flatten(var.policy_statements[*].actions) : can(regex("^[a-z0-9-]+:[A-Za-z]+$", action))])
    error_message = "Actions are named one by one, like dynamodb:PutItem: a wildcard grants what nobody has reviewed."
  }

  validation {
    # The objects of a bucket have no names yet, so `<bucket>/*` and `<bucket>/<folder>/*` are as exact as it gets.
    condition     = alltrue([for arn in flatten(var.policy_statements[*].resources) : can(regex("^arn:[^*]+$|^arn:[^:*]+:s3:::[^*]+/\\*$", arn))])
    error_message = "Resources are exact ARNs; only the objects of a bucket or folder may be written as <ARN>/*."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the logs."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch knows these retentions: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "kms_key_arn" {
  description = <<-EOT
    ARN of an own KMS key that encrypts the logs, and the data that the function reads and writes: its role may use it.
    The key's policy must let CloudWatch Logs (`logs.<region>.amazonaws.com`, in China `.amazonaws.com.cn`) use it too. `null`: AWS's keys.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not an ID or an alias."
  }
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics that hear of an alarm, and of its end."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_actions : can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[^:*]+$", arn))])
    error_message = "Each alarm action is the ARN of an SNS topic."
  }
}
