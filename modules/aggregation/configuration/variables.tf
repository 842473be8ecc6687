# The variables of modules/aggregation with the same names, which describe them. modules/aggregation itself checks what needs no type: the names of
# groupings, measures and their attributes, and the values of on_expiry and identifiers.

variable "measures" {
  description = "`measures` of `modules/aggregation`."
  type = map(object({
    op      = string
    field   = optional(string)
    missing = optional(string)
  }))
  nullable = false

  validation {
    condition     = alltrue([for measure in values(var.measures) : contains(["count", "sum"], measure.op)])
    error_message = "A measure's op is count or sum. Another op is in: ${join(", ", [for name, measure in var.measures : "${name} (${measure.op})" if !contains(["count", "sum"], measure.op)])}. An average is a sum divided by a count. min and max cannot be kept up to date by adding and subtracting; the README of modules/aggregation names alternatives."
  }

  validation {
    condition     = alltrue([for measure in values(var.measures) : measure.op != "sum" || can(regex(local.path_form, measure.field))])
    error_message = "A sum needs a field: the name of an attribute, or outer.inner for an attribute in a map. The field is missing or wrong in: ${join(", ", [for name, measure in var.measures : name if measure.op == "sum" && !can(regex(local.path_form, measure.field))])}."
  }

  validation {
    condition     = alltrue([for measure in values(var.measures) : measure.op != "count" || (measure.field == null && measure.missing == null)])
    error_message = "A count counts rows, so it has neither field nor missing. Remove them from: ${join(", ", [for name, measure in var.measures : name if measure.op == "count" && !(measure.field == null && measure.missing == null)])}. To count only rows that have a certain value, use where in a grouping."
  }

  validation {
    condition = alltrue([for measure in values(var.measures) : measure.missing == null ? true : can(regex(local.number_form, measure.missing))])
    error_message = "The missing of a sum is a number without an exponent. It has at most limits.max_integer_digits (${var.limits.max_integer_digits}) digits before the decimal point and at most limits.max_decimal_places (${var.limits.max_decimal_places}) after it. It has not in: ${join(", ", [for name, measure in var.measures :
      "${name} (${measure.missing})" if measure.missing == null ? false : !can(regex(local.number_form, measure.missing))
    ])}."
  }
}

variable "group_by" {
  description = "`group_by` of `modules/aggregation`."
  type = map(object({
    keys           = list(string)
    where          = optional(map(list(string)), {})
    missing        = optional(map(string), {})
    rollup         = optional(bool, false)
    max_totals     = optional(number)
    retention_days = optional(number)
  }))
  nullable = false

  validation {
    condition     = alltrue([for grouping in values(var.group_by) : length(grouping.keys) > 0])
    error_message = "A grouping without keys would put all rows into one group. Without keys: ${join(", ", [for name, grouping in var.group_by : name if length(grouping.keys) == 0])}. Group by an attribute that has the same value in every row, or add up the totals of another grouping."
  }

  validation {
    condition     = alltrue([for key in flatten(values(var.group_by)[*].keys) : can(regex(local.key_form, key))])
    error_message = "A key is written <attribute>[.<attribute>...][[]][:<bucket>][ as <name>]; attributes and names contain no white space, dots, colons or brackets. These keys are not: ${join(", ", [for key in flatten(values(var.group_by)[*].keys) : "\"${key}\"" if !can(regex(local.key_form, key))])}."
  }

  validation {
    condition = alltrue([for key in flatten(values(var.group_by)[*].keys) :
      try(regex(local.key_form, key).bucket, null) == null ? true : contains(local.buckets, regex(local.key_form, key).bucket)
    ])
    error_message = "A key's time bucket is ${join(", ", local.buckets)}. Another bucket is in: ${join(", ", [for key in flatten(values(var.group_by)[*].keys) :
      key if try(regex(local.key_form, key).bucket, null) == null ? false : !contains(local.buckets, regex(local.key_form, key).bucket)
    ])}."
  }

  validation {
    condition = alltrue([for key in flatten(values(var.group_by)[*].keys) :
      try(regex(local.key_form, key).bucket, null) == null || try(regex(local.key_form, key).each, null) == null
    ])
    error_message = "A key can be the elements of a list ([]) or a time bucket, but not both. These keys are both: ${join(", ", [for key in flatten(values(var.group_by)[*].keys) :
      key if try(regex(local.key_form, key).bucket, null) != null && try(regex(local.key_form, key).each, null) != null
    ])}."
  }

  validation {
    # A key without `as` has the name of its attribute.
    condition = alltrue([for grouping in values(var.group_by) :
      length(distinct([for key in grouping.keys : try(coalesce(regex(local.key_form, key).name, regex(local.key_form, key).path), key)])) == length(grouping.keys)
    ])
    error_message = "Two keys of a grouping have the same name, and a total has one value for each name. This is so in: ${join(", ", [for name, grouping in var.group_by :
      name if length(distinct([for key in grouping.keys : try(coalesce(regex(local.key_form, key).name, regex(local.key_form, key).path), key)])) < length(grouping.keys)
    ])}. Give one of the keys another name with `as`, for example \"created_at:hour as hour\"."
  }

  validation {
    condition = alltrue([for grouping in values(var.group_by) :
      length([for key in grouping.keys : key if try(regex(local.key_form, key).each, null) != null]) <= 1
    ])
    error_message = "A grouping can have the elements of only one list ([]). With two lists, a row would count in every pair of their elements. More than one list is in: ${join(", ", [for name, grouping in var.group_by :
      name if length([for key in grouping.keys : key if try(regex(local.key_form, key).each, null) != null]) > 1
    ])}."
  }

  validation {
    condition = alltrue([for grouping in values(var.group_by) :
      !grouping.rollup || alltrue([for key in grouping.keys : try(regex(local.key_form, key).each, null) == null])
    ])
    error_message = "A grouping with the elements of a list ([]) cannot have rollup: in the totals of fewer keys, a row would count once for each element. Both are in: ${join(", ", [for name, grouping in var.group_by :
      name if grouping.rollup && anytrue([for key in grouping.keys : try(regex(local.key_form, key).each, null) != null])
    ])}. Use one grouping for each level."
  }

  validation {
    condition = alltrue([for grouping in values(var.group_by) :
      alltrue([for path, values in grouping.where : can(regex(local.path_form, path)) && length(values) > 0])
    ])
    error_message = "where maps attributes (outer.inner for an attribute in a map) to lists of the values that count. With an empty list no row would count. An attribute is wrong or a list is empty in: ${join(", ", [for name, grouping in var.group_by :
      name if !alltrue([for path, values in grouping.where : can(regex(local.path_form, path)) && length(values) > 0])
    ])}."
  }

  validation {
    condition = alltrue([for grouping in values(var.group_by) :
      length(setsubtract(keys(grouping.missing), concat(keys(grouping.where), [for key in grouping.keys : try(regex(local.key_form, key).path, key)]))) == 0
    ])
    error_message = "missing names an attribute that is in neither keys nor where of its grouping: ${join(", ", flatten([for name, grouping in var.group_by : [
      for path in setsubtract(keys(grouping.missing), concat(keys(grouping.where), [for key in grouping.keys : try(regex(local.key_form, key).path, key)])) : "${name}: ${path}"
    ]]))}. Write the attribute as in keys or where, without [], time bucket and name. The number for a sum's missing field belongs in measures."
  }

  validation {
    # MapLambda would refuse its environment, and fail on every record.
    condition     = alltrue(flatten([for grouping in values(var.group_by) : [for text in values(grouping.missing) : text != null]]))
    error_message = "missing maps an attribute to a string, and null is not a string: leave the attribute out, or set it to \"\". null is in: ${join(", ", [for name, grouping in var.group_by : name if !alltrue([for text in values(grouping.missing) : text != null])])}."
  }

  validation {
    # Two groupings are the same even if the values of where are in another order or listed twice, and even if their totals expire at different
    # times: the grouping that keeps its totals longer has all totals of the other one.
    condition = length(distinct([for grouping in values(var.group_by) :
      jsonencode({ keys = grouping.keys, missing = grouping.missing, rollup = grouping.rollup, where = { for path, values in grouping.where : path => sort(distinct(values)) } })
    ])) == length(var.group_by)
    error_message = "Groupings differ only in their names, max_totals or retention_days, so they would make the same totals several times: ${join(", ", [for name, grouping in var.group_by :
      name if length([for other in values(var.group_by) : other if jsonencode({ keys = other.keys, missing = other.missing, rollup = other.rollup, where = { for path, values in other.where : path => sort(distinct(values)) } }) == jsonencode({ keys = grouping.keys, missing = grouping.missing, rollup = grouping.rollup, where = { for path, values in grouping.where : path => sort(distinct(values)) } })]) > 1
    ])}. Remove all but one."
  }

  validation {
    condition = alltrue([for grouping in values(var.group_by) : grouping.retention_days == null ? true : (
      grouping.retention_days >= 1 && floor(grouping.retention_days) == grouping.retention_days
      && anytrue([for key in grouping.keys : try(regex(local.key_form, key).bucket, null) != null])
    )])
    error_message = "retention_days is a whole number of at least 1, in a grouping that has a key with a time bucket: the days are counted from the end of the bucket. It is wrong in: ${join(", ", [for name, grouping in var.group_by :
      name if grouping.retention_days == null ? false : !(
        grouping.retention_days >= 1 && floor(grouping.retention_days) == grouping.retention_days
        && anytrue([for key in grouping.keys : try(regex(local.key_form, key).bucket, null) != null])
      )
    ])}."
  }

  validation {
    condition     = alltrue([for grouping in values(var.group_by) : grouping.max_totals == null ? true : grouping.max_totals >= 1 && floor(grouping.max_totals) == grouping.max_totals])
    error_message = "max_totals is a whole number of at least 1. It is not in: ${join(", ", [for name, grouping in var.group_by : name if grouping.max_totals == null ? false : grouping.max_totals < 1 || floor(grouping.max_totals) != grouping.max_totals])}."
  }

  validation {
    # The bytes for keys of one character each, the shortest possible. With `rollup`, a row has a total for each number of keys.
    condition = sum(concat([0], flatten([for name, grouping in var.group_by : [
      for level in range(grouping.rollup ? 1 : length(grouping.keys), length(grouping.keys) + 1) :
      local.bytes_of_an_entry + local.bytes_of_a_measure * length(var.measures) + length(name) + 2 * level
    ]]))) <= local.most_image_bytes
    error_message = "A row would count in so many totals that their identifiers and measures do not fit into an item of ReduceTable (${local.most_image_bytes} bytes for each row), even with the shortest keys, and every row would be quarantined. Use fewer levels, groupings or measures."
  }
}

variable "hierarchy_path" {
  description = "`hierarchy_path` of `modules/aggregation`."
  type        = string
}

variable "on_expiry" {
  description = "`on_expiry` of `modules/aggregation`."
  type        = string
  nullable    = false
}

variable "identifiers" {
  description = "`identifiers` of `modules/aggregation`."
  type        = string
  nullable    = false

  validation {
    condition     = var.identifiers != "plain" || (length(var.group_by) == 1 && alltrue([for grouping in values(var.group_by) : length(grouping.keys) == 1 && !grouping.rollup]))
    error_message = "identifiers = \"plain\" needs exactly one grouping, with one key and without rollup: otherwise different groups would share a total."
  }
}

variable "limits" {
  description = "`limits` of `modules/aggregation`."
  type = object({
    max_integer_digits = number
    max_decimal_places = number
  })
  nullable = false
}
