variables {
  measures       = { Count = { op = "count" } }
  group_by       = { daily = { keys = ["date"] } }
  hierarchy_path = null
  on_expiry      = "subtract"
  identifiers    = "prefixed"
  limits         = { max_integer_digits = 12, max_decimal_places = 17 }
}

run "refuses_a_limit_that_is_no_number_of_totals" {
  command = plan

  variables {
    group_by = { daily = { keys = ["date"], max_totals = 0.5 } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_grouping_without_keys" {
  command = plan

  variables {
    group_by = { all = { keys = [] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_key_with_a_space" {
  command = plan

  variables {
    group_by = { daily = { keys = ["the date"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_key_with_an_empty_level" {
  command = plan

  variables {
    group_by = { daily = { keys = ["detail..date"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_key_with_an_index_of_a_list" {
  command = plan

  variables {
    group_by = { tags = { keys = ["tags[0]"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_an_unknown_bucket" {
  command = plan

  variables {
    group_by = { weekly = { keys = ["created_at:week"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_bucket_of_elements" {
  command = plan

  variables {
    group_by = { hourly = { keys = ["times[]:hour"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_two_keys_of_one_name" {
  command = plan

  variables {
    group_by = { times = { keys = ["created_at:day", "created_at:hour"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_given_name_that_is_another_keys" {
  command = plan

  variables {
    group_by = { daily = { keys = ["date", "created_at:hour as date"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_the_elements_of_two_lists" {
  command = plan

  variables {
    group_by = { pairs = { keys = ["tags[]", "colours[]"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_rollup_over_elements" {
  command = plan

  variables {
    group_by = { tags = { keys = ["date", "tags[]"], rollup = true } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_condition_without_values" {
  command = plan

  variables {
    group_by = { urgent = { keys = ["date"], where = { urgency = [] } } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_condition_on_what_is_no_attribute" {
  command = plan

  variables {
    group_by = { urgent = { keys = ["date"], where = { "tags[]" = ["high"] } } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_value_for_an_attribute_that_is_not_read" {
  command = plan

  variables {
    group_by = { daily = { keys = ["date"], missing = { region = "unknown" } } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_value_that_is_named_by_the_keys_name" {
  command = plan

  variables {
    group_by = { daily = { keys = ["created_at:day as day"], missing = { day = "unknown" } } }
  }

  expect_failures = [var.group_by]
}

run "refuses_two_groupings_that_are_the_same" {
  command = plan

  variables {
    group_by = { urgent = { keys = ["date"], where = { urgency = ["high", "1"] } }, alarming = { keys = ["date"], where = { urgency = ["1", "high"] } } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_retention_of_half_a_day" {
  command = plan

  variables {
    group_by = { daily = { keys = ["created_at:day"], retention_days = 0.5 } }
  }

  expect_failures = [var.group_by]
}

run "refuses_a_retention_without_a_bucket" {
  command = plan

  variables {
    group_by = { daily = { keys = ["date"], retention_days = 90 } }
  }

  expect_failures = [var.group_by]
}

run "refuses_two_groupings_that_only_expire_at_different_times" {
  command = plan

  variables {
    group_by = { short = { keys = ["created_at:day"], retention_days = 30 }, long = { keys = ["created_at:day"] } }
  }

  expect_failures = [var.group_by]
}

run "refuses_two_groupings_that_differ_in_their_limit_alone" {
  command = plan

  variables {
    group_by = { small = { keys = ["date"], max_totals = 5 }, large = { keys = ["date"], max_totals = 6 } }
  }

  expect_failures = [var.group_by]
}

run "refuses_rows_that_cannot_fit_an_item" {
  command = plan

  variables {
    measures = { for number in range(60) : "M${number}" => { op = "count" } }
    group_by = { deep = { keys = [for number in range(120) : "k${number}"], rollup = true } }
  }

  expect_failures = [var.group_by]
}

run "refuses_an_unknown_operation" {
  command = plan

  variables {
    measures = { Highest = { op = "max", field = "score" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_sum_without_a_field" {
  command = plan

  variables {
    measures = { Score = { op = "sum" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_sum_over_elements" {
  command = plan

  variables {
    measures = { Score = { op = "sum", field = "scores[]" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_count_with_a_field" {
  command = plan

  variables {
    measures = { Count = { op = "count", field = "score" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_count_with_a_value_for_missing_fields" {
  command = plan

  variables {
    measures = { Count = { op = "count", missing = "0" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_missing_number_that_is_none" {
  command = plan

  variables {
    measures = { Score = { op = "sum", field = "score", missing = "none" } }
  }

  expect_failures = [var.measures]
}

run "refuses_a_missing_number_beyond_the_limits" {
  command = plan

  variables {
    limits   = { max_integer_digits = 12, max_decimal_places = 2 }
    measures = { Score = { op = "sum", field = "score", missing = "0.125" } }
  }

  expect_failures = [var.measures]
}

run "refuses_plain_identifiers_for_two_groupings" {
  command = plan

  variables {
    identifiers = "plain"
    group_by    = { daily = { keys = ["date"] }, regional = { keys = ["region"] } }
  }

  expect_failures = [var.identifiers]
}

run "refuses_plain_identifiers_for_two_keys" {
  command = plan

  variables {
    identifiers = "plain"
    group_by    = { daily = { keys = ["date", "region"] } }
  }

  expect_failures = [var.identifiers]
}

run "refuses_plain_identifiers_with_rollup" {
  command = plan

  variables {
    identifiers = "plain"
    group_by    = { daily = { keys = ["date"], rollup = true } }
  }

  expect_failures = [var.identifiers]
}

run "refuses_a_missing_that_is_null" {
  command = plan

  variables {
    group_by = { daily = { keys = ["date"], missing = { date = null } } }
  }

  expect_failures = [var.group_by]
}
