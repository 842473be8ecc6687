# Checks the groupings and measures, and makes of them the configuration that MapLambda and AuditLambda read from their environment.

locals {
  # Parts that the caller left out are left out here, too. A new option of this module then does not change the version, which is a hash, of a
  # configuration that does not use the option.
  configuration = {
    for part, given in {
      path        = var.hierarchy_path
      group_by    = length(var.group_by) == 0 ? null : local.group_by
      measures    = local.measures
      on_expiry   = var.on_expiry == "subtract" ? null : var.on_expiry
      identifiers = var.identifiers == "prefixed" ? null : var.identifiers
    } : part => given if given != null
  }

  group_by = { for name, grouping in var.group_by : name => merge(
    { keys = grouping.keys },
    # The order of the values of `where`, and values that are listed twice, have no effect and must not change the version.
    { for part, given in {
      where   = { for path, values in grouping.where : path => sort(distinct(values)) }
      missing = grouping.missing
    } : part => given if length(given) > 0 },
    grouping.rollup ? { rollup = true } : {},
    grouping.retention_days == null ? {} : { retention_days = grouping.retention_days },
  ) }

  measures = { for name, measure in var.measures : name => { for part, given in measure : part => given if given != null } }

  # The syntax of keys and attributes, which leda/engine/group_by/grouping_keys.py and leda/engine/group_by/attributes.py parse.
  attribute = "[^\\s.:\\[\\]]+"
  path_form = "^${local.attribute}(?:\\.${local.attribute})*$"
  key_form  = "^(?P<path>${local.attribute}(?:\\.${local.attribute})*)(?P<each>\\[\\])?(?::(?P<bucket>\\w+))?(?: as (?P<name>${local.attribute}))?$"
  buckets   = ["minute", "hour", "day", "month"]

  # A number within the limits. It is made of two locals, because checkov cannot read a string in a template in a template, and skips such a file.
  decimals_form = var.limits.max_decimal_places == 0 ? "" : "(?:\\.[0-9]{1,${var.limits.max_decimal_places}})?"
  number_form   = "^-?[0-9]{1,${var.limits.max_integer_digits}}${local.decimals_form}$"

  # The bytes that one row of the source table may take in a row of ReduceTable. For each total of the row they are an entry with its list, each
  # measure, and the total's identifier.
  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
  most_image_bytes   = 150000
  bytes_of_an_entry  = 4
  bytes_of_a_measure = 22
}
