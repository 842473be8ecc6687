variable "name_prefix" {
  description = "Prepended to every name that `names` does not give, so that several aggregations fit in one account and region."
  type        = string
  default     = ""
  nullable    = false

  validation {
    # 20: with the account and the region, the bucket's name stays within 63 characters.
    condition     = can(regex("^([a-zA-Z][a-zA-Z0-9-]{0,19})?$", var.name_prefix))
    error_message = "name_prefix has up to 20 letters, digits or hyphens and begins with a letter."
  }
}

variable "names" {
  description = <<-EOT
    Whole names, without the prefix, in place of the usual ones.
    - functions: `map` (MapLambda), `reduce` (ReduceLambda), `health` (HealthLambda), `audit` (AuditLambda)
    - tables: `reduce_table` (ReduceTable), `totals_table` (AggregateTable), `registry_table` (RegistryTable)
  EOT
  type = object({
    map            = optional(string)
    reduce         = optional(string)
    health         = optional(string)
    audit          = optional(string)
    reduce_table   = optional(string)
    totals_table   = optional(string)
    registry_table = optional(string)
  })
  default  = {}
  nullable = false
}

variable "table" {
  description = <<-EOT
    The source table: any table with a stream of new and old images (`NEW_AND_OLD_IMAGES`).
    - `name`, `arn`, `stream_arn`
    - `kms_key_arn`: the customer-managed key that encrypts the table, if it has one. The functions may then use it for reading, by way
      of DynamoDB only; the key's own policy must let the account's IAM policies decide, as the default policy does
  EOT
  type = object({
    name        = string
    arn         = string
    stream_arn  = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^arn:[^:]+:dynamodb:[^:]+:[0-9]{12}:table/[^/*]+$", var.table.arn))
    error_message = "table.arn is the ARN of a table: arn:aws:dynamodb:<region>:<account>:table/<name>."
  }

  validation {
    condition     = var.table.stream_arn == null ? false : startswith(var.table.stream_arn, "${var.table.arn}/stream/")
    error_message = "table.stream_arn is not the ARN of a stream of table.arn. Enable the table's stream with stream_enabled = true and stream_view_type = \"NEW_AND_OLD_IMAGES\", and give its stream_arn."
  }

  validation {
    condition     = var.table.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.table.kms_key_arn))
    error_message = "table.kms_key_arn is the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not an ID or an alias."
  }
}

variable "measures" {
  description = <<-EOT
    What every total has, by the name of its attribute.
    - `op`: `count` (the number of rows) or `sum` (of the number in the attribute `field`)
    - `field`: of a sum, the attribute, or `outer.inner` for one in a map
    - `missing`: of a sum, the number for rows without the attribute; without it they are quarantined
  EOT
  type = map(object({
    op      = string
    field   = optional(string)
    missing = optional(string)
  }))
  nullable = false

  validation {
    condition     = length(var.measures) > 0
    error_message = "measures names no measure: a total needs at least one, as Count = { op = \"count\" }."
  }

  validation {
    condition     = alltrue([for name in keys(var.measures) : can(regex("^[A-Za-z][A-Za-z0-9_]*$", name))])
    error_message = "A measure's name has letters, digits and underscores and begins with a letter. Not so: ${join(", ", [for name in keys(var.measures) : name if !can(regex("^[A-Za-z][A-Za-z0-9_]*$", name))])}."
  }

  validation {
    # A measure is an attribute of a total, beside these.
    condition = alltrue([for name in keys(var.measures) :
      !contains(["Identifier", "Grouping", "Keys", "Parent", "ExpiresAt", var.totals_key], name) && !startswith(name, "Applied")
    ])
    error_message = "A total has attributes named ${join(", ", distinct(["Identifier", var.totals_key, "Grouping", "Keys", "Parent", "ExpiresAt"]))} and Applied...: no measure can be called so."
  }

  validation {
    condition     = alltrue([for measure in values(var.measures) : contains(["count", "sum"], measure.op)])
    error_message = "A measure's op is count or sum. Not so: ${join(", ", [for name, measure in var.measures : "${name} (${measure.op})" if !contains(["count", "sum"], measure.op)])}. An average is a sum divided by a count; min and max cannot be kept by adding (the module's README says what to do)."
  }

  validation {
    condition     = alltrue([for measure in values(var.measures) : measure.op != "sum" || can(regex(local.path_form, measure.field))])
    error_message = "A sum needs a field: the name of an attribute, or outer.inner for one in a map. It is missing or wrong in: ${join(", ", [for name, measure in var.measures : name if measure.op == "sum" && !can(regex(local.path_form, measure.field))])}."
  }

  validation {
    condition     = alltrue([for measure in values(var.measures) : measure.op != "count" || (measure.field == null && measure.missing == null)])
    error_message = "A count counts rows and has neither field nor missing: ${join(", ", [for name, measure in var.measures : name if measure.op == "count" && !(measure.field == null && measure.missing == null)])}. To count rows with a certain value, use where in a grouping."
  }

  validation {
    condition = alltrue([for measure in values(var.measures) : measure.missing == null ? true : can(regex(
      "^-?[0-9]{1,${var.limits.max_integer_digits}}${var.limits.max_decimal_places == 0 ? "" : "(?:\\.[0-9]{1,${var.limits.max_decimal_places}})?"}$", measure.missing
    ))])
    error_message = "A sum's missing is a number with at most limits.max_integer_digits (${var.limits.max_integer_digits}) digits before the point and limits.max_decimal_places (${var.limits.max_decimal_places}) after it, without an exponent."
  }
}

variable "group_by" {
  description = <<-EOT
    The groupings by name: each makes a total for every combination of its keys' values.
    - `keys`: attributes, in the order of the identifier. `region`; `detail.region` for one in a map; `tags[]` for each element of a list or set (once a
      row); `created_at:hour` for a time bucket (`minute`, `hour`, `day` or `month` in UTC, of epoch seconds, milliseconds, or ISO 8601 as `2026-08-01` or `2026-08-01T13:05:59+01:00`, UTC where there is no zone); and `<key> as
      <name>` to name a key. A value is a string, a number or a boolean
    - `where` (none): rows count only where each of these attributes has one of the values, as `{ urgency = ["high"] }`; one without the attribute does not
    - `missing` (none): values that stand for missing attributes of `keys` and `where`; without one, a row without a key is quarantined
    - `rollup` (false): a total for the first key, for the first two, and so on, not only for all
    - `max_totals` (none): AuditLambda counts the grouping's rows in the totals table, and an alarm goes off where there are more; nothing is refused.
      Needs `audit`. A change of it needs no `leda backfill`
    - `retention_days` (none): of a grouping with a time bucket, for how long a total is worth something after its bucket has ended; then readers leave it
      out, and time to live removes it. It passes over what ended more than five years ago; `leda backfill` and `leda rebuild` remove that
  EOT
  type = map(object({
    keys           = list(string)
    where          = optional(map(list(string)), {})
    missing        = optional(map(string), {})
    rollup         = optional(bool, false)
    max_totals     = optional(number)
    retention_days = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(var.group_by) > 0 || var.hierarchy_path != null
    error_message = "group_by names no grouping, so there is nothing to count by. At least one is needed, as daily = { keys = [\"date\"] }."
  }

  validation {
    condition     = length(var.group_by) == 0 || var.hierarchy_path == null
    error_message = "hierarchy_path takes the place of group_by: give one of the two."
  }

  validation {
    condition     = alltrue([for name in keys(var.group_by) : can(regex("^[A-Za-z][A-Za-z0-9_-]{0,63}$", name))])
    error_message = "A grouping's name has 1 to 64 letters, digits, hyphens or underscores and begins with a letter. Not so: ${join(", ", [for name in keys(var.group_by) : name if !can(regex("^[A-Za-z][A-Za-z0-9_-]{0,63}$", name))])}."
  }

  validation {
    condition     = alltrue([for grouping in values(var.group_by) : length(grouping.keys) > 0])
    error_message = "A grouping without keys would put all rows into one group: ${join(", ", [for name, grouping in var.group_by : name if length(grouping.keys) == 0])}. Group by an attribute that every row has in common, or sum over the totals of a grouping."
  }

  validation {
    condition     = alltrue([for key in flatten(values(var.group_by)[*].keys) : can(regex(local.key_form, key))])
    error_message = "A key is <attribute>[.<attribute>...][[]][:<bucket>][ as <name>], and names have no white space, dot, colon or bracket. Not so: ${join(", ", [for key in flatten(values(var.group_by)[*].keys) : "\"${key}\"" if !can(regex(local.key_form, key))])}."
  }

  validation {
    condition = alltrue([for key in flatten(values(var.group_by)[*].keys) :
      try(regex(local.key_form, key).bucket, null) == null ? true : contains(local.buckets, regex(local.key_form, key).bucket)
    ])
    error_message = "A key's time bucket is minute, hour, day or month. Not so in: ${join(", ", [for key in flatten(values(var.group_by)[*].keys) :
      key if try(regex(local.key_form, key).bucket, null) == null ? false : !contains(local.buckets, regex(local.key_form, key).bucket)
    ])}."
  }

  validation {
    condition = alltrue([for key in flatten(values(var.group_by)[*].keys) :
      try(regex(local.key_form, key).bucket, null) == null || try(regex(local.key_form, key).each, null) == null
    ])
    error_message = "A key is the elements of a list ([]) or a time bucket, not both."
  }

  validation {
    # Without `as` a key has the name of its attribute.
    condition = alltrue([for grouping in values(var.group_by) :
      length(distinct([for key in grouping.keys : try(coalesce(regex(local.key_form, key).name, regex(local.key_form, key).path), key)])) == length(grouping.keys)
    ])
    error_message = "Two keys of a grouping have one name, and a total could show only one of them: ${join(", ", [for name, grouping in var.group_by :
      name if length(distinct([for key in grouping.keys : try(coalesce(regex(local.key_form, key).name, regex(local.key_form, key).path), key)])) < length(grouping.keys)
    ])}. Name one with `as`: \"created_at:hour as hour\"."
  }

  validation {
    condition = alltrue([for grouping in values(var.group_by) :
      length([for key in grouping.keys : key if try(regex(local.key_form, key).each, null) != null]) <= 1
    ])
    error_message = "A grouping has the elements of at most one list ([]): with two, each row would count in every pair of them."
  }

  validation {
    condition = alltrue([for grouping in values(var.group_by) :
      !grouping.rollup || alltrue([for key in grouping.keys : try(regex(local.key_form, key).each, null) == null])
    ])
    error_message = "A grouping with the elements of a list ([]) cannot have rollup: at the levels above, a row would count once for each element. Use a grouping for each level."
  }

  validation {
    condition = alltrue([for grouping in values(var.group_by) :
      alltrue([for path, values in grouping.where : can(regex(local.path_form, path)) && length(values) > 0])
    ])
    error_message = "where maps attributes (outer.inner for one in a map) to the values that count, at least one each: with an empty list no row would count. Not so in: ${join(", ", [for name, grouping in var.group_by :
      name if !alltrue([for path, values in grouping.where : can(regex(local.path_form, path)) && length(values) > 0])
    ])}."
  }

  validation {
    condition = alltrue([for grouping in values(var.group_by) :
      length(setsubtract(keys(grouping.missing), concat(keys(grouping.where), [for key in grouping.keys : try(regex(local.key_form, key).path, key)]))) == 0
    ])
    error_message = "missing names an attribute that is in neither keys nor where of its grouping (write it as there, without [], bucket and name): ${join(", ", flatten([for name, grouping in var.group_by : [
      for path in setsubtract(keys(grouping.missing), concat(keys(grouping.where), [for key in grouping.keys : try(regex(local.key_form, key).path, key)])) : "${name}: ${path}"
    ]]))}. What a sum takes for a missing field is in measures."
  }

  validation {
    # MapLambda would refuse its environment, and fail on every record.
    condition     = alltrue(flatten([for grouping in values(var.group_by) : [for text in values(grouping.missing) : text != null]]))
    error_message = "missing gives a text for an attribute, and null is none: leave the attribute out, or give \"\". Not so in: ${join(", ", [for name, grouping in var.group_by : name if !alltrue([for text in values(grouping.missing) : text != null])])}."
  }

  validation {
    # The order of where's values, and one that is there twice, change nothing. Of two that are kept for different times, the longer has all
    # that the other has.
    condition = length(distinct([for grouping in values(var.group_by) :
      jsonencode({ keys = grouping.keys, missing = grouping.missing, rollup = grouping.rollup, where = { for path, values in grouping.where : path => sort(distinct(values)) } })
    ])) == length(var.group_by)
    error_message = "Groupings are the same but for their names, so all but one are paid for and say nothing new: ${join(", ", [for name, grouping in var.group_by :
      name if length([for other in values(var.group_by) : other if jsonencode({ keys = other.keys, missing = other.missing, rollup = other.rollup, where = { for path, values in other.where : path => sort(distinct(values)) } }) == jsonencode({ keys = grouping.keys, missing = grouping.missing, rollup = grouping.rollup, where = { for path, values in grouping.where : path => sort(distinct(values)) } })]) > 1
    ])}."
  }

  validation {
    condition = alltrue([for grouping in values(var.group_by) : grouping.retention_days == null ? true : (
      grouping.retention_days >= 1 && floor(grouping.retention_days) == grouping.retention_days
      && anytrue([for key in grouping.keys : try(regex(local.key_form, key).bucket, null) != null])
    )])
    error_message = "retention_days is a whole number of at least 1, in a grouping that has a key with a time bucket: the days are counted from the bucket's end. Not so in: ${join(", ", [for name, grouping in var.group_by :
      name if grouping.retention_days == null ? false : !(
        grouping.retention_days >= 1 && floor(grouping.retention_days) == grouping.retention_days
        && anytrue([for key in grouping.keys : try(regex(local.key_form, key).bucket, null) != null])
      )
    ])}."
  }

  validation {
    condition     = alltrue([for grouping in values(var.group_by) : grouping.max_totals == null ? true : grouping.max_totals >= 1 && floor(grouping.max_totals) == grouping.max_totals])
    error_message = "max_totals is a whole number of at least 1. Not so: ${join(", ", [for name, grouping in var.group_by : name if grouping.max_totals == null ? false : grouping.max_totals < 1 || floor(grouping.max_totals) != grouping.max_totals])}."
  }

  validation {
    condition     = var.audit != null || alltrue([for grouping in values(var.group_by) : grouping.max_totals == null])
    error_message = "max_totals is watched by AuditLambda, and audit is null: give audit, as {}, or leave max_totals out of ${join(", ", [for name, grouping in var.group_by : name if grouping.max_totals != null])}."
  }

  # Here and not at audit, whose checks must not look at group_by: these look at audit.
  validation {
    condition     = var.audit == null || var.on_expiry != "keep" || anytrue([for grouping in values(var.group_by) : grouping.max_totals != null])
    error_message = "audit compares the totals with the rows of the table, which with on_expiry = \"keep\" no longer holds all that was counted. It only watches max_totals there, and no grouping has it: set audit = null, or give a grouping max_totals."
  }

  validation {
    # For identifiers of one character a key, the shortest that there are; with `rollup`, a total for each number of keys.
    condition = sum(concat([0], flatten([for name, grouping in var.group_by : [
      for level in range(grouping.rollup ? 1 : length(grouping.keys), length(grouping.keys) + 1) :
      local.bytes_of_an_entry + local.bytes_of_a_measure * length(var.measures) + length(name) + 2 * level
    ]]))) <= local.most_image_bytes
    error_message = "A row would count in so many totals that their identifiers and measures cannot fit an item of ReduceTable (${local.most_image_bytes} bytes for a row), whatever its keys: every row would be quarantined. Use fewer levels, groupings or measures."
  }
}

variable "hierarchy_path" {
  description = <<-EOT
    In place of `group_by`: the attribute of a row with its place in a tree, ready as `Delta:FXSpot:AMER`. There is a total for it and for each place above
    it, whose `Identifier` is the place itself. `modules/aggregation-pipeline` gives the attribute that StateLambda writes; for a table of yours use `group_by`
    with `rollup`.
  EOT
  type        = string
  default     = null
}

variable "on_expiry" {
  description = "What becomes of a row's part in the totals when DynamoDB's time to live removes the row: `subtract` (totals are what the table holds) or `keep` (totals are what it ever held, less what was deleted otherwise). With `keep` nothing can be computed from the table after the first backfill: `leda verify`, `rebuild` and a later `backfill` refuse, and the audit only counts the totals (`max_totals`). A replica of a global table is told of an expiry in another region as of any other delete, so there `keep` keeps only what expired in its own."
  type        = string
  default     = "subtract"
  nullable    = false

  validation {
    condition     = contains(["subtract", "keep"], var.on_expiry)
    error_message = "on_expiry is subtract or keep."
  }
}

variable "identifiers" {
  description = "How a total is named: `prefixed` (`<grouping>:<key>:<key>`, escaped) or `plain` (the text of the key as it is; for one grouping of one key without rollup)."
  type        = string
  default     = "prefixed"
  nullable    = false

  validation {
    condition     = contains(["prefixed", "plain"], var.identifiers)
    error_message = "identifiers is prefixed or plain."
  }

  validation {
    condition     = var.identifiers != "plain" || (length(var.group_by) == 1 && alltrue([for grouping in values(var.group_by) : length(grouping.keys) == 1 && !grouping.rollup]))
    error_message = "identifiers = \"plain\" needs one grouping of one key without rollup: others would share totals."
  }
}

variable "totals_key" {
  description = "Name of the key attribute of the totals table."
  type        = string
  default     = "Identifier"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_]{0,254}$", var.totals_key))
    error_message = "totals_key has 1 to 255 letters, digits and underscores and begins with a letter."
  }

  validation {
    condition     = !contains(["Grouping", "Keys", "Parent", "ExpiresAt"], var.totals_key) && !startswith(var.totals_key, "Applied")
    error_message = "A total has attributes named Grouping, Keys, Parent, ExpiresAt and Applied... beside its key: totals_key is another name."
  }
}

variable "indexes" {
  description = <<-EOT
    Indexes of the totals table; each is one more table to write at every change of a total (the README says what that costs).
    - `children` (false): index `Children`, partition key `Parent`, sort key `totals_key`: the totals below one, in order
    - `top` (none): measures; for each an index `Top<measure>`, partition key `Parent`, sort key the measure: the largest below one
  EOT
  type = object({
    children = optional(bool, false)
    top      = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for measure in var.indexes.top : contains(keys(var.measures), measure)])
    error_message = "indexes.top names what is no measure: ${join(", ", setsubtract(var.indexes.top, keys(var.measures)))}."
  }

  validation {
    condition     = length(distinct(var.indexes.top)) == length(var.indexes.top)
    error_message = "indexes.top names a measure twice."
  }

  validation {
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
    condition     = length(var.indexes.top) + (var.indexes.children ? 1 : 0) <= 20
    error_message = "A table has at most 20 indexes: indexes.children is one, and each of indexes.top."
  }

  validation {
    condition     = !(var.indexes.children || length(var.indexes.top) > 0) || var.hierarchy_path == null
    error_message = "indexes are over the attribute Parent, which totals have with group_by only: an index would stay empty."
  }

  validation {
    # A partition key has up to 2,048 bytes, a sort key 1,024: DynamoDB would refuse totals with keys between the two.
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
    condition     = !var.indexes.children || var.identifiers != "plain"
    error_message = "indexes.children does not go with identifiers = \"plain\": a key may be too long for an index's sort key, and the children of the one grouping are the whole table."
  }
}

variable "limits" {
  description = <<-EOT
    The largest values that are expected. A value beyond them is added apart from the others of its batch, and quarantined where a total has no digits left for it.
    - `max_integer_digits` (12), `max_decimal_places` (17). A sum of 10^9 values needs 9 digits more, and a DynamoDB number has 38
  EOT
  type = object({
    max_integer_digits = optional(number, 12)
    max_decimal_places = optional(number, 17)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.limits.max_integer_digits >= 1 && var.limits.max_decimal_places >= 0 && floor(var.limits.max_integer_digits) == var.limits.max_integer_digits && floor(var.limits.max_decimal_places) == var.limits.max_decimal_places
    error_message = "limits (of a pipeline: schema): max_integer_digits is at least 1 and max_decimal_places at least 0, both whole numbers."
  }

  validation {
    condition     = var.limits.max_integer_digits + 9 + var.limits.max_decimal_places <= 38
    error_message = "limits (of a pipeline: schema): max_integer_digits + 9 + max_decimal_places must not exceed 38, the digits of a DynamoDB number: a sum of 10^9 values has up to 9 digits more than its parts, and one that does not fit could not be written by any retry."
  }
}

variable "backfill" {
  description = "`required`: nothing is counted before the first `leda backfill`, which counts the rows that the table has already. `none` says that the table is new: every change counts from the first on."
  type        = string
  default     = "required"
  nullable    = false

  validation {
    condition     = contains(["required", "none"], var.backfill)
    error_message = "backfill is required or none."
  }
}

variable "single_shard" {
  description = "For emulators whose event source mappings have no tumbling window, so that no event names its shard: such an event is then that of the stream's only shard, and is refused where the stream lists several. On AWS it changes nothing, since the window is always set there and every event names its shard; leave it `false`."
  type        = bool
  default     = false
  nullable    = false
}

variable "writers" {
  description = "Functions that write the table and are watched with Map and Reduce: whether their mappings are on, what they quarantine, and their lines on the dashboard. By the names of their services in metrics; `modules/aggregation-pipeline` gives StateLambda."
  type = map(object({
    name            = string
    mapping_uuid    = string
    mapping_arn     = string
    retention_hours = optional(number, 24)
  }))
  default  = {}
  nullable = false
}

variable "map_function" {
  description = <<-EOT
    Settings of MapLambda and its mapping; `modules/stream-function` explains the mapping's. Retries, age, bisect, the parallelization factor
    and the window cannot be set to what would break exactly-once.
    - `memory_mb` (512), `timeout_seconds` (60), `reserved_concurrency` (none)
    - `enabled` (true), `batch_size` (1000), `batching_window_seconds` (0), `parallelization_factor` (1)
    - `maximum_retry_attempts` (-1), `maximum_record_age_seconds` (-1), `bisect` (false), `tumbling_window_seconds` (900)
  EOT
  type = object({
    memory_mb                  = optional(number, 512)
    timeout_seconds            = optional(number, 60)
    reserved_concurrency       = optional(number)
    enabled                    = optional(bool, true)
    batch_size                 = optional(number, 1000)
    batching_window_seconds    = optional(number, 0)
    parallelization_factor     = optional(number, 1)
    maximum_retry_attempts     = optional(number)
    maximum_record_age_seconds = optional(number, -1)
    bisect                     = optional(bool)
    tumbling_window_seconds    = optional(number)
  })
  default  = {}
  nullable = false
}

variable "reduce_function" {
  description = <<-EOT
    Settings of ReduceLambda and its mapping; `modules/stream-function` explains the mapping's. Retries, age, bisect, the parallelization factor
    and the window cannot be set to what would break exactly-once.
    - `memory_mb` (512), `timeout_seconds` (60), `reserved_concurrency` (none)
    - `enabled` (true), `batch_size` (1000), `batching_window_seconds` (0), `parallelization_factor` (1)
    - `maximum_retry_attempts` (-1), `maximum_record_age_seconds` (-1), `bisect` (false), `tumbling_window_seconds` (900)
  EOT
  type = object({
    memory_mb                  = optional(number, 512)
    timeout_seconds            = optional(number, 60)
    reserved_concurrency       = optional(number)
    enabled                    = optional(bool, true)
    batch_size                 = optional(number, 1000)
    batching_window_seconds    = optional(number, 0)
    parallelization_factor     = optional(number, 1)
    maximum_retry_attempts     = optional(number)
    maximum_record_age_seconds = optional(number, -1)
    bisect                     = optional(bool)
    tumbling_window_seconds    = optional(number)
  })
  default  = {}
  nullable = false
}

variable "reduce_lanes" {
  description = "Lanes that the totals are spread over; a lane is a partition key of ReduceTable, which takes 1,000 write units a second and holds 10 GB. More lanes let Map write more at once, and Reduce work in parallel once DynamoDB splits the table; each batch of Map writes one row for each lane that it touches. It may be changed at any time: a shard of the source table's stream keeps the number that it began with, and shards are replaced every few hours."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.reduce_lanes >= 1 && var.reduce_lanes <= 1000 && floor(var.reduce_lanes) == var.reduce_lanes
    error_message = "reduce_lanes is a whole number from 1 to 1000."
  }
}

variable "delta_retention_seconds" {
  description = "Seconds after which a row of ReduceTable expires, counted from the change that it was last written for. A row is Map's checkpoint for its lane and shard. The default is two days; the longer, the more a lane holds of its 10 GB."
  type        = number
  default     = 172800
  nullable    = false

  validation {
    # A table's stream keeps a record for 24 hours, and removes it at some moment after that.
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    condition     = var.delta_retention_seconds >= 129600 && floor(var.delta_retention_seconds) == var.delta_retention_seconds
    error_message = "delta_retention_seconds is at least 129600 (36 hours): a row is Map's checkpoint, and must outlive the 24 hours in which the source table's stream can still deliver the records that it covers, and the while that they take to go. A record delivered after its checkpoint has expired is counted twice."
  }
}

variable "reduce_threads" {
  description = "Threads with which Reduce writes the totals of a batch."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.reduce_threads >= 1 && var.reduce_threads <= 32 && floor(var.reduce_threads) == var.reduce_threads
    error_message = "reduce_threads is a whole number from 1 to 32."
  }
}

variable "freshness_seconds" {
  description = "How old a total may be, from the change of the row on. Alarms go off when Map or Reduce is a third of it behind its stream."
  type        = number
  default     = 30
  nullable    = false
}

variable "audit" {
  description = <<-EOT
    When AuditLambda compares every total with a sum over the source table: once a day by default. It scans both tables, a read unit for each 4 KB every
    time, which `leda cost` shows. `null`: never.
    With `on_expiry = "keep"` there is nothing to compare the totals with: then it only counts them, for `max_totals`, and scans the totals alone.
    - `schedule_expression`: as an EventBridge rate or cron expression (`rate(1 hour)` where an object is given without it)
    - `memory_mb` (1024), `timeout_seconds` (300): a larger table needs more of both
  EOT
  type = object({
    schedule_expression = optional(string, "rate(1 hour)")
    memory_mb           = optional(number, 1024)
    timeout_seconds     = optional(number, 300)
  })
  default = { schedule_expression = "rate(1 day)" }

  validation {
    condition     = var.audit == null ? true : can(regex("^(rate|cron)\\(.+\\)$", var.audit.schedule_expression))
    error_message = "audit.schedule_expression is rate(...) or cron(...)."
  }

  validation {
    # Where a total seems to be wrong, the audit looks again, and waits for changes under way both times.
    condition     = var.audit == null ? true : var.audit.timeout_seconds >= 2 * var.freshness_seconds + 30
    error_message = "audit.timeout_seconds must be at least 2 * freshness_seconds + 30: an audit waits twice for changes that are under way."
  }
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics that hear of alarms."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "dashboard" {
  description = "Whether to make a CloudWatch dashboard with lag, records, iterator ages, errors, quarantined records, health and the size of the lanes."
  type        = bool
  default     = true
  nullable    = false
}

variable "capacity" {
  description = "Provisioned capacity with auto scaling instead of on-demand, by table: `reduce`, `aggregate` (the totals; not with `indexes`) and `registry`. `modules/table` says what each may have; a table without is on demand."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.capacity), ["reduce", "aggregate", "registry"])) == 0
    error_message = "capacity names the tables reduce, aggregate and registry. Not so: ${join(", ", setsubtract(keys(var.capacity), ["reduce", "aggregate", "registry"]))}."
  }
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused before anything is deleted, unless `false` was applied before. Tables are protected by themselves, too, and the quarantine bucket is only deleted when it is empty."
  type        = bool
  default     = true
  nullable    = false
}

variable "quarantine_bucket" {
  description = "A bucket of yours for what cannot be counted: `name` and `arn`, as `modules/quarantine-bucket` gives them. `null`: the module makes one."
  type = object({
    name = string
    arn  = string
  })
  default = null
}

variable "quarantine_bucket_name" {
  description = "Name of the quarantine bucket that the module makes. `null`: `<name_prefix>leda-quarantine-<account>-<region>` in lower case."
  type        = string
  default     = null
}

variable "quarantine_retention_days" {
  description = "Days after which what was quarantined is deleted. `null`: it stays."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = <<-EOT
    ARN of an own KMS key for the module's tables, its bucket and its logs (the source table's is `table.kms_key_arn`). Its policy must let
    CloudWatch Logs use it (examples/complete has one). `null`: AWS's keys.
  EOT
  type        = string
  default     = null
}

variable "settings" {
  description = "What all functions have in common, and the roles and logs beside them: packages, runtime, logs, tracing, VPC, permissions boundary, path and suffix of roles. `modules/function` says what it may have."
  type        = any
  default     = {}
  nullable    = false
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "fault_injection" {
  description = "The table whose rows `FAILURE_MAP_LAMBDA_PCT` and `FAILURE_REDUCE_LAMBDA_PCT` say how often the functions fail on purpose. `null`: they never do, and read nothing. For tests and demonstrations."
  type = object({
    parameter_table_name = string
    parameter_table_arn  = string
  })
  default = null
}
