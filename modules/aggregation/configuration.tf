# What Map reads of its environment: which totals a row of the source table counts in, and what it adds. Parts that were not given
# are left out, so that a new option of this module never changes the version of a configuration that does not use it.

locals {
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
    # The order of where's values changes nothing, and must not change the configuration's version.
    { for part, given in {
      where   = { for path, values in grouping.where : path => sort(distinct(values)) }
      missing = grouping.missing
    } : part => given if length(given) > 0 },
    grouping.rollup ? { rollup = true } : {},
    grouping.retention_days == null ? {} : { retention_days = grouping.retention_days },
  ) }

  measures = { for name, measure in var.measures : name => { for part, given in measure : part => given if given != null } }

  # How a key and an attribute are written: leda/engine/grouping_keys.py and leda/engine/attributes.py read the same forms.
  attribute = "[^\\s.:\\[\\]]+"
  path_form = "^${local.attribute}(?:\\.${local.attribute})*$"
  key_form  = "^(?P<path>${local.attribute}(?:\\.${local.attribute})*)(?P<each>\\[\\])?(?::(?P<bucket>\\w+))?(?: as (?P<name>${local.attribute}))?$"
  buckets   = ["minute", "hour", "day", "month"]

  # Lambda's limit for the names and values of all variables, and what a row of the source table may take in a row of ReduceTable:
  # an entry and its list, each measure, and each total's identifier.
  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution
  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
  most_environment_bytes = 4096
  most_image_bytes       = 150000
  bytes_of_an_entry      = 4
  bytes_of_a_measure     = 22
}
