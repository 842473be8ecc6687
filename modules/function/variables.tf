variable "name" {
  description = "Name of the function, of its role and of its log group (`/aws/lambda/<name>`)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9-_]{1,64}$", var.name))
    error_message = "A function's name has 1 to 64 letters, digits, hyphens or underscores."
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

variable "service" {
  description = "Name of the service in the function's metrics and log lines, like `MapLambda`: the same whatever the name's prefix."
  type        = string
  nullable    = false
}

variable "settings" {
  description = <<-EOT
    What all functions of a stack have in common, and the roles and logs beside them. Every module takes this object and passes it on.
    - `packages`: where the functions' code is. Either `directory`, a folder with the zips (the default is `build/`
      beside the modules: a release's tag holds it, `make build` fills it); or `bucket` and `prefix`, to which `scripts/build --publish s3://bucket/prefix` has uploaded them, for accounts without a checkout. Lambda takes
      code from a bucket in its own Region only: publish to a bucket in each. It must hold the packages when they are read: at the plan, or at the apply where
      the plan does not know its name
    - `runtime` (`python3.13`), `architecture` (`arm64`, which is cheaper, or `x86_64`)
    - `log_level` (`INFO`), or `DEBUG`, `WARNING`, `ERROR`; `log_retention_days` (30): how long CloudWatch keeps the logs
    - `tracing` (false): X-Ray traces the invocations
    - `vpc` (none): `subnet_ids` and `security_group_ids`. From these subnets the functions must reach the services that they call, by VPC endpoints or NAT
    - `permissions_boundary_arn` (none), `role_path` (`/`): of every IAM role
    - `global_name_suffix` (none): appended to the names that an account has only once, whatever the Region: those of the IAM roles and of the dashboard.
      None in the Region that was there first; in each further Region a text of its own, like `-eu-central-1`. A change replaces them
  EOT
  type = object({
    # A map and not an object: its keys are known at the plan even where the bucket's name is not.
    packages                 = optional(map(string), {})
    runtime                  = optional(string, "python3.13")
    architecture             = optional(string, "arm64")
    log_level                = optional(string, "INFO")
    log_retention_days       = optional(number, 30)
    tracing                  = optional(bool, false)
    vpc                      = optional(object({ subnet_ids = list(string), security_group_ids = list(string) }))
    permissions_boundary_arn = optional(string)
    role_path                = optional(string, "/")
    global_name_suffix       = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.settings.packages), ["directory", "bucket", "prefix"])) == 0
    error_message = "settings.packages has a directory, or a bucket and a prefix, and nothing else."
  }

  validation {
    condition     = contains(keys(var.settings.packages), "bucket") ? var.settings.packages["bucket"] != null : true
    error_message = "settings.packages.bucket is null: leave it out where the packages are in a folder."
  }

  validation {
    condition     = contains(keys(var.settings.packages), "bucket") ? lookup(var.settings.packages, "directory", null) == null : true
    error_message = "settings.packages names a directory or a bucket, not both."
  }

  validation {
    condition     = contains(keys(var.settings.packages), "bucket") ? true : lookup(var.settings.packages, "prefix", null) == null
    error_message = "settings.packages.prefix is a prefix in settings.packages.bucket, which is not set."
  }

  validation {
    condition     = can(regex("^python3\\.1[1-9]$", var.settings.runtime))
    error_message = "settings.runtime: the code needs Python 3.11 or later: python3.11, python3.12, python3.13, ..."
  }

  validation {
    condition     = contains(["arm64", "x86_64"], var.settings.architecture)
    error_message = "settings.architecture is arm64 or x86_64."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.settings.log_level)
    error_message = "settings.log_level is DEBUG, INFO, WARNING or ERROR."
  }

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.settings.log_retention_days)
    error_message = "settings.log_retention_days: CloudWatch knows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }

  validation {
    condition     = var.settings.vpc == null ? true : length(var.settings.vpc.subnet_ids) > 0 && length(var.settings.vpc.security_group_ids) > 0
    error_message = "settings.vpc has at least one of subnet_ids and one of security_group_ids."
  }

  validation {
    condition     = var.settings.permissions_boundary_arn == null ? true : can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/[^*]+$", var.settings.permissions_boundary_arn))
    error_message = "settings.permissions_boundary_arn is the ARN of an IAM policy (arn:aws:iam::<account>:policy/<name>)."
  }

  validation {
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    condition     = can(regex("^/([!-~]{1,510}/)?$", var.settings.role_path))
    error_message = "settings.role_path begins and ends with a slash, like /leda/."
  }

  validation {
    condition     = can(regex("^[a-zA-Z0-9-_]{0,32}$", var.settings.global_name_suffix))
    error_message = "settings.global_name_suffix has up to 32 letters, digits, hyphens or underscores."
  }

  validation {
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    condition     = length(var.name) + length(var.settings.global_name_suffix) <= 64
    error_message = "A role's name, name with settings.global_name_suffix, has at most 64 characters."
  }
}

variable "handler" {
  description = "Entry point in the package."
  type        = string
  default     = "handler.lambda_handler"
  nullable    = false
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
  description = "Reserved concurrency of the function. Lambda takes it from the account's limit and keeps 100 executions unreserved, so a new account, whose limit may be 10, cannot reserve any. `null`: the function has no reserved concurrency."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency is a whole number of at least 1 (0 would stop the function for good), or null."
  }
}

variable "environment" {
  description = "Environment variables, beside those of Powertools, which the module sets."
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

variable "kms_key_arn" {
  description = <<-EOT
    ARN of a customer-managed KMS key that encrypts the environment, the logs, and the data that the function reads and writes: its role may use it.
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
