variable "name_prefix" {
  description = "Prefix of every name that `names` does not give. With different prefixes, several aggregations fit in one account and Region."
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
    - `kms_key_arn`: the customer-managed key that encrypts the table, if it has one. The functions may then use the key to decrypt, only through
      DynamoDB (`kms:ViaService`). The key's own policy must let the account's IAM policies grant access, as the default key policy does
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
    What each total holds, by the name of the measure, which is also the name of its attribute in the totals table. A measure is an object with
    these attributes; any other attribute is refused:
    - `op` (string, required): `count` (the number of rows) or `sum` (the sum of the numbers in the attribute `field`)
    - `field` (string): for a sum, the attribute to add up; `outer.inner` is an attribute in a map
    - `missing` (number; none): for a sum, the number that stands for the attribute in rows without it, or with null there. Without `missing`, such rows are quarantined
  EOT
  # Of type any, because Terraform drops the attributes that an object type does not name: a misspelt `missing` would have no effect, and no
  # error. The validation below refuses it; module.configuration declares the type.
  type     = any
  nullable = false

  # The other validations accept a value that is no map of objects: only this one refuses it.
  validation {
    condition     = can([for name in keys(var.measures) : keys(var.measures[name])])
    error_message = "measures is a map of objects, for example { Count = { op = \"count\" } }. This is not an object: ${join(", ", [for name in try(keys(var.measures), []) : "measures.${name}" if !can(keys(var.measures[name]))])}${can(keys(var.measures)) ? "" : "measures"}."
  }

  validation {
    condition     = try(length(keys(var.measures)) > 0, true)
    error_message = "measures is empty. A total needs at least one measure, for example Count = { op = \"count\" }."
  }

  validation {
    condition     = alltrue([for name in try(keys(var.measures), []) : can(regex("^[A-Za-z][A-Za-z0-9_]*$", name))])
    error_message = "A measure's name consists of letters, digits and underscores and begins with a letter. These do not: ${join(", ", [for name in try(keys(var.measures), []) : name if !can(regex("^[A-Za-z][A-Za-z0-9_]*$", name))])}."
  }

  validation {
    condition = alltrue([for name in try(keys(var.measures), []) :
      !contains(["Identifier", "Grouping", "Keys", "Parent", "ExpiresAt", var.totals_key], name) && !startswith(name, "Applied")
    ])
    error_message = "A measure cannot have the name of another attribute of a total: ${join(", ", distinct(["Identifier", var.totals_key, "Grouping", "Keys", "Parent", "ExpiresAt"]))}, or a name that begins with Applied."
  }

  validation {
    condition     = alltrue([for name in try(keys(var.measures), []) : length(setsubtract(try(keys(var.measures[name]), []), local.measure_attributes)) == 0])
    error_message = "measures has unknown attributes: ${join(", ", flatten([for name in try(keys(var.measures), []) : [for attribute in setsubtract(try(keys(var.measures[name]), []), local.measure_attributes) : "${name}.${attribute}"]]))}. A measure has the attributes ${join(", ", local.measure_attributes)}."
  }
}

variable "group_by" {
  description = <<-EOT
    The groupings by name. A grouping makes one total for each combination of its keys' values. It is an object with these attributes; any other
    attribute is refused:
    - `keys` (list of strings, required): the attributes of a row that form the total's identifier, in this order. `region` is an attribute;
      `detail.region` is an attribute in a map; `tags[]` is each element of a list or set (a row counts once for equal elements, and in no total if there are none); `created_at:hour` is a time bucket
      (`minute`, `hour`, `day` or `month` in UTC; the attribute holds epoch seconds, epoch milliseconds, or ISO 8601 as `2026-08-01` or `2026-08-01T13:05:59+01:00`, in UTC if
      it names no zone); `<key> as <name>` gives the key another name. A key's value is a string, a number or a boolean
    - `where` (map of lists of strings; none): a row counts only if each of these attributes has one of the listed values, as in `{ urgency = ["high"] }`.
      A row without the attribute does not count
    - `missing` (map of strings; none): the value that stands for an attribute of `keys` or `where` in rows without it, or with null there. Without `missing`, a row that lacks a key is quarantined
    - `rollup` (bool; false): also makes totals for the first key, for the first two keys, and so on
    - `max_totals` (number; none): AuditLambda counts the grouping's totals, and an alarm goes off if there are more. No total is refused. `max_totals`
      needs `audit`, and a change of it needs no `leda backfill`
    - `retention_days` (number; none): for a grouping that has a time bucket, the number of days after the end of the bucket at which a total expires. From then on
      readers ignore the total, and DynamoDB's time to live deletes it. DynamoDB does not delete totals that expired more than five years ago; `leda backfill` and `leda rebuild` do
  EOT
  # Of type any for the same reason as measures: a misspelt `where` would count every row.
  type     = any
  default  = {}
  nullable = false

  # The other validations accept a value that is no map of objects: only this one refuses it.
  validation {
    condition     = can([for name in keys(var.group_by) : keys(var.group_by[name])])
    error_message = "group_by is a map of objects, for example { daily = { keys = [\"date\"] } }. This is not an object: ${join(", ", [for name in try(keys(var.group_by), []) : "group_by.${name}" if !can(keys(var.group_by[name]))])}${can(keys(var.group_by)) ? "" : "group_by"}."
  }

  validation {
    condition     = try(length(keys(var.group_by)) > 0, true) || var.hierarchy_path != null
    error_message = "group_by is empty, so there is nothing to count by. Give at least one grouping, for example daily = { keys = [\"date\"] }."
  }

  validation {
    condition     = try(length(keys(var.group_by)) == 0, true) || var.hierarchy_path == null
    error_message = "hierarchy_path replaces group_by: set one of the two."
  }

  validation {
    condition     = alltrue([for name in try(keys(var.group_by), []) : can(regex("^[A-Za-z][A-Za-z0-9_-]{0,63}$", name))])
    error_message = "A grouping's name consists of 1 to 64 letters, digits, hyphens or underscores and begins with a letter. These do not: ${join(", ", [for name in try(keys(var.group_by), []) : name if !can(regex("^[A-Za-z][A-Za-z0-9_-]{0,63}$", name))])}."
  }

  validation {
    condition     = alltrue([for name in try(keys(var.group_by), []) : length(setsubtract(try(keys(var.group_by[name]), []), local.grouping_attributes)) == 0])
    error_message = "group_by has unknown attributes: ${join(", ", flatten([for name in try(keys(var.group_by), []) : [for attribute in setsubtract(try(keys(var.group_by[name]), []), local.grouping_attributes) : "${name}.${attribute}"]]))}. A grouping has the attributes ${join(", ", local.grouping_attributes)}."
  }

  # module.configuration refuses these values, too, but Terraform's error then does not name the grouping.
  validation {
    condition = alltrue([for name in try(keys(var.group_by), []) :
      can([tobool(try(var.group_by[name].rollup, null)), tonumber(try(var.group_by[name].max_totals, null)), tonumber(try(var.group_by[name].retention_days, null))])
    ])
    error_message = "rollup is true or false, and max_totals and retention_days are numbers. Another value is in: ${join(", ", flatten([for name in try(keys(var.group_by), []) : concat(
      can(tobool(try(var.group_by[name].rollup, null))) ? [] : ["${name}.rollup"],
      [for attribute in ["max_totals", "retention_days"] : "${name}.${attribute}" if !can(tonumber(try(var.group_by[name][attribute], null)))],
    )]))}."
  }

  validation {
    condition     = var.audit != null || alltrue([for name in try(keys(var.group_by), []) : try(var.group_by[name].max_totals, null) == null])
    error_message = "AuditLambda checks max_totals, and audit is null. Set audit, for example to {}, or remove max_totals from ${join(", ", [for name in try(keys(var.group_by), []) : name if try(var.group_by[name].max_totals, null) != null])}."
  }

  # This validation is here and not at audit, because the validations of group_by refer to audit: Terraform refuses a cycle of validations.
  validation {
    condition     = var.audit == null || var.on_expiry != "keep" || try(anytrue([for name in keys(var.group_by) : try(var.group_by[name].max_totals, null) != null]), true)
    error_message = "With on_expiry = \"keep\" the table no longer holds every row that was counted, so an audit cannot compare the totals with the table. It only checks max_totals, and no grouping has max_totals: set audit = null, or give a grouping max_totals."
  }
}

variable "hierarchy_path" {
  description = <<-EOT
    In place of `group_by`: the attribute of a row with its place in a tree, ready as `Delta:FXSpot:AMER`. There is a total for it and for each place above
    it, whose `Identifier` is the place itself. `modules/aggregation-pipeline` gives the attribute that StateLambda writes; for a table of yours use `group_by`
    with `rollup`. A row whose attribute `Deleted` is true counts in no total; one with an empty level (`Delta::AMER`) is quarantined. The metric `Lag`
    begins at the row's `Timestamp`, a number of epoch seconds as StateLambda writes it, or without one at the change.
  EOT
  type        = string
  default     = null
}

variable "on_expiry" {
  description = "What happens to the totals when DynamoDB's time to live removes a row. `subtract`: the row is subtracted, so the totals are those of the rows that the table holds. `keep`: the row stays in the totals; only rows that are deleted in another way are subtracted. With `keep` the totals cannot be computed from the table after the first backfill: `leda verify`, `rebuild` and a later `backfill` refuse, and the audit only counts the totals (`max_totals`). In a global table, rows that expire in another Region arrive as ordinary deletes, so `keep` keeps only rows that expire in the module's own Region."
  type        = string
  default     = "subtract"
  nullable    = false

  validation {
    condition     = contains(["subtract", "keep"], var.on_expiry)
    error_message = "on_expiry is subtract or keep."
  }
}

variable "identifiers" {
  description = "The form of a total's identifier: `prefixed` (`<grouping>:<key>:<key>`, escaped) or `plain` (the text of the key as it is; only for a single grouping of one key without rollup; a row whose key is empty or begins with a colon is quarantined)."
  type        = string
  default     = "prefixed"
  nullable    = false

  validation {
    condition     = contains(["prefixed", "plain"], var.identifiers)
    error_message = "identifiers is prefixed or plain."
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
    error_message = "totals_key cannot be Grouping, Keys, Parent, ExpiresAt or a name that begins with Applied: a total has these attributes beside its key."
  }
}

variable "indexes" {
  description = <<-EOT
    Global secondary indexes of the totals table. DynamoDB writes each of them at every change of a total (the README says what that costs).
    - `children` (false): the index `Children`, for the totals below a node in order. Partition key `Parent`, sort key `totals_key`
    - `top` (none): a list of measures. Each has an index `Top<measure>`, for the largest totals below a node. Partition key `Parent`, sort key the measure
  EOT
  type = object({
    children = optional(bool, false)
    top      = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for measure in var.indexes.top : contains(keys(var.measures), measure)])
    error_message = "indexes.top names what is no measure: ${join(", ", setsubtract(var.indexes.top, keys(var.measures)))}. The measures are ${join(", ", keys(var.measures))}."
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
    The largest values that you expect. A value beyond the limits is added separately from the other values of its batch, and is quarantined if a total has no digits left for it.
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
  description = "`required`: nothing is counted before the first `leda backfill`, which counts the rows that the table already has. `none`: the table is new, and every change counts from the first one on."
  type        = string
  default     = "required"
  nullable    = false

  validation {
    condition     = contains(["required", "none"], var.backfill)
    error_message = "backfill is required or none."
  }
}

variable "single_shard" {
  description = "Leave this `false` on AWS, where it has no effect. `true` is for emulators whose event source mappings have no tumbling window, so that an event does not name its shard: the functions then take the stream's only shard, and refuse the event if the stream has several."
  type        = bool
  default     = false
  nullable    = false
}

variable "writers" {
  description = "Functions that write the source table, by the names of their services in metrics. HealthLambda also watches their event source mappings, and the dashboard shows them beside Map and Reduce. `modules/aggregation-pipeline` passes StateLambda."
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
  description = "Number of lanes over which the totals are spread. A lane is a partition key of ReduceTable, which takes 1,000 write units a second and holds 10 GB. With more lanes Map can write more per second, and Reduce works in parallel once DynamoDB splits the table; but each batch of Map writes one row for each lane in which a total changes. The number may be changed at any time. A change takes effect with the next shards of the source table's stream, which AWS replaces every few hours."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.reduce_lanes >= 1 && var.reduce_lanes <= 1000 && floor(var.reduce_lanes) == var.reduce_lanes
    error_message = "reduce_lanes is a whole number from 1 to 1000."
  }
}

variable "delta_retention_seconds" {
  description = "Seconds after which a row of ReduceTable expires, counted from the last change that is in the row. A row is Map's checkpoint for a lane and a shard. The default is two days. With more seconds a lane uses more of its 10 GB."
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
  description = "Seconds that may pass from the change of a row until the totals contain it. An alarm goes off when Map or Reduce is behind its stream by more than a third of these seconds."
  type        = number
  default     = 30
  nullable    = false
}

variable "audit" {
  description = <<-EOT
    When AuditLambda compares every total with a sum over the source table: once a day by default; `null`: never. Each audit scans both tables, which takes
    a read unit for each 4 KB; `leda cost` shows the price. With `on_expiry = "keep"` the table does not hold what was counted, so AuditLambda only counts
    the totals, for `max_totals`, and scans the totals table alone.
    - `schedule_expression`: an EventBridge rate or cron expression (`rate(1 day)`)
    - `memory_mb` (1024), `timeout_seconds` (300): a larger table needs more of both
  EOT
  type = object({
    schedule_expression = optional(string, "rate(1 day)")
    memory_mb           = optional(number, 1024)
    timeout_seconds     = optional(number, 300)
  })
  default = {}

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
  description = "ARNs of the SNS topics to notify of alarms."
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
  description = "Provisioned capacity with auto scaling instead of on-demand, by table: `reduce`, `aggregate` (the totals; not with `indexes`) and `registry`. `modules/table` lists the attributes of each; a table that is not named is on demand."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.capacity), ["reduce", "aggregate", "registry"])) == 0
    error_message = "capacity names the tables reduce, aggregate and registry. Not so: ${join(", ", setsubtract(keys(var.capacity), ["reduce", "aggregate", "registry"]))}."
  }
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused, before anything is deleted. To destroy the stack, apply `false` first. The tables also have DynamoDB's deletion protection, and the quarantine bucket is deleted only if it is empty."
  type        = bool
  default     = true
  nullable    = false
}

variable "quarantine_bucket" {
  description = "Your own quarantine bucket: `name` and `arn`, which are outputs of `modules/quarantine-bucket`. `null`: the module creates a bucket."
  type = object({
    name = string
    arn  = string
  })
  default = null
}

variable "quarantine_bucket_name" {
  description = "Name of the quarantine bucket that the module creates. `null`: `<name_prefix>leda-quarantine-<account>-<region>` in lower case."
  type        = string
  default     = null
}

variable "quarantine_retention_days" {
  description = "Days after which a quarantined record is deleted. `null`: never."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = <<-EOT
    ARN of a customer-managed KMS key for the module's tables, its bucket and its logs (the source table's is `table.kms_key_arn`). Its policy must let
    CloudWatch Logs use it (examples/complete has one). `null`: AWS's keys.
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

variable "fault_injection" {
  description = "For tests and demonstrations: the table whose rows `FAILURE_MAP_LAMBDA_PCT` and `FAILURE_REDUCE_LAMBDA_PCT` give the percentage of invocations that fail on purpose. `null`: no invocation fails on purpose, and the functions do not read the table."
  type = object({
    parameter_table_name = string
    parameter_table_arn  = string
  })
  default = null
}
