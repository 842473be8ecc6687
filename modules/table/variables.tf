variable "name" {
  description = "Name of the table."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{3,255}$", var.name))
    error_message = "A table's name has 3 to 255 letters, digits, underscores, dots or hyphens."
  }
}

variable "hash_key" {
  description = "Partition key: its name and its type (`S`, `N` or `B`)."
  type = object({
    name = string
    type = string
  })
  nullable = false

  validation {
    condition     = contains(["S", "N", "B"], var.hash_key.type)
    error_message = "A key is a string (S), a number (N) or binary (B)."
  }
}

variable "range_key" {
  description = "Sort key: its name and its type (`S`, `N` or `B`). `null`: none."
  type = object({
    name = string
    type = string
  })
  default = null

  validation {
    condition     = var.range_key == null ? true : contains(["S", "N", "B"], var.range_key.type)
    error_message = "A key is a string (S), a number (N) or binary (B)."
  }

  validation {
    condition     = var.range_key == null ? true : var.range_key.name != var.hash_key.name
    error_message = "The sort key and the partition key are two different attributes."
  }
}

variable "indexes" {
  description = <<-EOT
    Global secondary indexes, to read the rows by other keys. An index is sparse: it holds the rows that have its keys, and no others; a row
    whose key is of another type is refused.
    - `name`
    - `hash_key`, `range_key` (none): each with `name` and `type`
    - `attributes`: names of the attributes that the index holds besides the keys; `[]`: the keys alone (all attributes)
  EOT
  type = list(object({
    name       = string
    hash_key   = object({ name = string, type = string })
    range_key  = optional(object({ name = string, type = string }))
    attributes = optional(list(string))
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for index in var.indexes : can(regex("^[a-zA-Z0-9_.-]{3,255}$", index.name))])
    error_message = "An index's name has 3 to 255 letters, digits, underscores, dots or hyphens."
  }

  validation {
    condition     = length(distinct(var.indexes[*].name)) == length(var.indexes)
    error_message = "Two indexes have one name."
  }

  validation {
    condition     = alltrue([for index in var.indexes : alltrue([for key in concat([index.hash_key], index.range_key[*]) : contains(["S", "N", "B"], key.type)])])
    error_message = "A key is a string (S), a number (N) or binary (B)."
  }

  validation {
    condition = alltrue([for index in var.indexes : length(setintersection(
      coalesce(index.attributes, []),
      concat([var.hash_key.name, index.hash_key.name], var.range_key[*].name, index.range_key[*].name),
    )) == 0])
    error_message = "An index holds the table's keys and its own anyway: attributes names others."
  }

  validation {
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
    condition     = length(var.indexes) <= 20 && length(flatten([for index in var.indexes : coalesce(index.attributes, [])])) <= 100
    error_message = "A table has at most 20 indexes, which hold at most 100 named attributes together."
  }
}

variable "stream_view_type" {
  description = "What the table's stream carries: `KEYS_ONLY`, `NEW_IMAGE`, `OLD_IMAGE` or `NEW_AND_OLD_IMAGES`. `null`: no stream."
  type        = string
  default     = null

  validation {
    condition     = var.stream_view_type == null ? true : contains(["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"], var.stream_view_type)
    error_message = "stream_view_type is KEYS_ONLY, NEW_IMAGE, OLD_IMAGE, NEW_AND_OLD_IMAGES, or null for no stream."
  }
}

variable "ttl_attribute" {
  description = "Attribute with the time (epoch seconds) after which DynamoDB removes a row. `null`: rows stay."
  type        = string
  default     = null
}

variable "point_in_time_recovery" {
  description = "Whether the table can be restored to any second of the last 35 days."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the table, and `terraform destroy` with it."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of an own KMS key that encrypts the table and its stream. `null`: the key that AWS owns."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not an ID or an alias."
  }
}
