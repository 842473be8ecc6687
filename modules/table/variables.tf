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

variable "local_indexes" {
  description = <<-EOT
    Local secondary indexes, to read the rows of one partition key in the order of another attribute than `range_key`. DynamoDB makes them with
    the table and never afterwards: to add, change or remove one, Terraform replaces the table. A table that has one keeps all rows of
    a partition key together, at most 10 GB of them, and never splits them over partitions.
    - `name`
    - `range_key`: with `name` and `type`; a row without this attribute is not in the index
    - `attributes`: names of the attributes that the index holds besides the keys; `[]`: the keys alone (all attributes)
  EOT
  type = list(object({
    name       = string
    range_key  = object({ name = string, type = string })
    attributes = optional(list(string))
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for index in var.local_indexes : can(regex("^[a-zA-Z0-9_.-]{3,255}$", index.name))])
    error_message = "A local index's name has 3 to 255 letters, digits, underscores, dots or hyphens."
  }

  validation {
    condition     = length(distinct(concat(var.local_indexes[*].name, var.indexes[*].name))) == length(var.local_indexes) + length(distinct(var.indexes[*].name))
    error_message = "A local index has the name of another index of the table, local or global."
  }

  validation {
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html
    condition     = length(var.local_indexes) == 0 || var.range_key != null
    error_message = "A table with a local index needs a range_key: with a partition key alone there is one row for each key, and nothing to put in another order."
  }

  validation {
    condition     = alltrue([for index in var.local_indexes : contains(["S", "N", "B"], index.range_key.type)])
    error_message = "A local index's range_key is a string (S), a number (N) or binary (B)."
  }

  validation {
    condition     = alltrue([for index in var.local_indexes : !contains(concat([var.hash_key.name], var.range_key[*].name), index.range_key.name)])
    error_message = "A local index's range_key is none of the table's keys: the rows of a partition key are in the order of the table's range_key already."
  }

  validation {
    condition = alltrue([for index in var.local_indexes : alltrue([
      for key in concat(flatten([for other in var.indexes : concat([other.hash_key], other.range_key[*])]), var.local_indexes[*].range_key) :
      key.type == index.range_key.type if key.name == index.range_key.name
    ])])
    error_message = "Two indexes give one attribute two types."
  }

  validation {
    condition = alltrue([for index in var.local_indexes : length(setintersection(
      coalesce(index.attributes, []),
      concat([var.hash_key.name, index.range_key.name], var.range_key[*].name),
    )) == 0])
    error_message = "A local index holds the table's keys and its own anyway: attributes names others."
  }

  validation {
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
    condition = length(var.local_indexes) <= 5 && length(concat(
      flatten([for index in var.local_indexes : coalesce(index.attributes, [])]),
      flatten([for index in var.indexes : coalesce(index.attributes, [])]),
    )) <= 100
    error_message = "A table has at most 5 local indexes, and all its indexes, local and global, hold at most 100 named attributes together."
  }
}

variable "capacity" {
  description = <<-EOT
    Provisioned capacity with auto scaling. `null`: on demand, which follows any load and costs more at a steady one.
    - `read`, `write`: each with `min` and `max` (capacity units), between which [auto scaling](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html)
      keeps what is used at `target_percent` (70) of what is provisioned. It takes minutes to follow: more than the capacity is throttled until then
    A table that was on demand before begins with one unit of each, until auto scaling brings it to `min`: the provider sets one where Terraform ignores what scales.
  EOT
  type = object({
    read  = object({ min = number, max = number, target_percent = optional(number, 70) })
    write = object({ min = number, max = number, target_percent = optional(number, 70) })
  })
  default = null

  validation {
    condition     = var.capacity == null ? true : alltrue([for units in values(var.capacity) : units.min >= 1 && units.max >= units.min && floor(units.min) == units.min && floor(units.max) == units.max])
    error_message = "capacity.read and capacity.write have a min of at least 1 and a max that is no smaller, both whole numbers."
  }

  validation {
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html
    condition     = var.capacity == null ? true : alltrue([for units in values(var.capacity) : units.target_percent >= 20 && units.target_percent <= 90])
    error_message = "capacity's target_percent is 20 to 90."
  }

  validation {
    condition     = var.capacity == null || length(var.indexes) == 0
    error_message = "A table with global indexes stays on demand (capacity = null): each index has a capacity of its own, and Terraform would take back at every apply what auto scaling has given it."
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
  description = "ARN of a customer-managed KMS key that encrypts the table and its stream. `null`: the key that AWS owns."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not an ID or an alias."
  }
}

variable "tags" {
  description = "Tags for all resources that take tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
