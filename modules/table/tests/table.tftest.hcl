mock_provider "aws" {
  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn        = "arn:aws:dynamodb:eu-west-1:111111111111:table/Totals"
      stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Totals/stream/2025-01-01T00:00:00.000"
    }
  }
}

variables {
  name     = "Totals"
  hash_key = { name = "Identifier", type = "S" }
}

run "provisions_capacity_that_follows_the_load" {
  command = plan

  variables {
    capacity = { read = { min = 5, max = 50 }, write = { min = 100, max = 4000, target_percent = 80 } }
  }

  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PROVISIONED" && aws_dynamodb_table.this.read_capacity == 5 && aws_dynamodb_table.this.write_capacity == 100
    error_message = "A new table must begin with the least of both."
  }

  assert {
    condition = { for part, target in aws_appautoscaling_target.this : target.scalable_dimension => [target.min_capacity, target.max_capacity] } == {
      "dynamodb:table:ReadCapacityUnits"  = [5, 50]
      "dynamodb:table:WriteCapacityUnits" = [100, 4000]
    }
    error_message = "Auto scaling must stay between the limits."
  }

  assert {
    condition = { for part, policy in aws_appautoscaling_policy.this : part => [
      policy.target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type,
      policy.target_tracking_scaling_policy_configuration[0].target_value,
      ] } == {
      Read  = ["DynamoDBReadCapacityUtilization", 70]
      Write = ["DynamoDBWriteCapacityUtilization", 80]
    }
    error_message = "Each must follow its own use."
  }
}

run "is_protected_restorable_and_on_demand_by_default" {
  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "Deletion protection must be on."
  }

  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "Point-in-time recovery must be on."
  }

  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "The table must be billed on demand."
  }

  assert {
    condition     = !aws_dynamodb_table.this.stream_enabled && output.stream_arn == null
    error_message = "Without a view type there must be no stream."
  }

  assert {
    condition     = length(aws_dynamodb_table.this.ttl) == 0
    error_message = "Without a TTL attribute rows must stay."
  }

  assert {
    condition     = length(aws_dynamodb_table.this.global_secondary_index) == 0 && length(aws_dynamodb_table.this.local_secondary_index) == 0 && output.index_arns == {}
    error_message = "An index costs writes that nobody asked for, and a local one limits a partition key to 10 GB."
  }
}

run "has_the_keys_stream_ttl_and_key_that_are_asked_for" {
  variables {
    hash_key         = { name = "Lane", type = "N" }
    range_key        = { name = "Delta", type = "S" }
    stream_view_type = "NEW_IMAGE"
    ttl_attribute    = "ExpiresAt"
    kms_key_arn      = "arn:aws:kms:eu-west-1:111111111111:key/0b0b"
  }

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "Lane" && aws_dynamodb_table.this.range_key == "Delta"
    error_message = "The keys must be those asked for."
  }

  assert {
    condition     = { for attribute in aws_dynamodb_table.this.attribute : attribute.name => attribute.type } == { Lane = "N", Delta = "S" }
    error_message = "The keys' types must be those asked for."
  }

  assert {
    condition     = aws_dynamodb_table.this.stream_view_type == "NEW_IMAGE" && output.stream_arn == aws_dynamodb_table.this.stream_arn
    error_message = "The stream must carry new images."
  }

  assert {
    condition     = aws_dynamodb_table.this.ttl[0].attribute_name == "ExpiresAt" && aws_dynamodb_table.this.ttl[0].enabled
    error_message = "Rows must expire by ExpiresAt."
  }

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.kms_key_arn
    error_message = "The table must use the own key."
  }
}

run "has_the_indexes_that_are_asked_for_with_what_each_holds" {
  variables {
    indexes = [
      { name = "ByScore", hash_key = { name = "Board", type = "S" }, range_key = { name = "Score", type = "N" } },
      { name = "ByNickname", hash_key = { name = "Nickname", type = "S" }, range_key = { name = "Identifier", type = "S" }, attributes = [] },
      { name = "ByTeam", hash_key = { name = "Team", type = "S" }, attributes = ["Score", "Nickname"] },
    ]
  }

  assert {
    condition = {
      for index in aws_dynamodb_table.this.global_secondary_index :
      index.name => join(" ", concat([index.hash_key, coalesce(index.range_key, "-"), index.projection_type], sort(coalesce(index.non_key_attributes, []))))
      } == {
      ByScore    = "Board Score ALL"
      ByNickname = "Nickname Identifier KEYS_ONLY"
      ByTeam     = "Team - INCLUDE Nickname Score"
    }
    error_message = "Each index must have the keys and hold the attributes asked for."
  }

  assert {
    condition     = { for attribute in aws_dynamodb_table.this.attribute : attribute.name => attribute.type } == { Identifier = "S", Board = "S", Score = "N", Nickname = "S", Team = "S" }
    error_message = "Each key must be declared, and once; other attributes must not be."
  }

  assert {
    condition     = output.index_arns["ByScore"] == "arn:aws:dynamodb:eu-west-1:111111111111:table/Totals/index/ByScore"
    error_message = "Whoever reads an index must learn its ARN."
  }
}

run "has_the_local_indexes_that_are_asked_for_with_what_each_holds" {
  variables {
    range_key = { name = "Order", type = "S" }
    indexes   = [{ name = "ByTeam", hash_key = { name = "Team", type = "S" } }]
    local_indexes = [
      { name = "ByAmount", range_key = { name = "Amount", type = "N" } },
      { name = "ByName", range_key = { name = "Name", type = "S" }, attributes = [] },
      { name = "ByDay", range_key = { name = "Day", type = "S" }, attributes = ["Status", "Carrier"] },
    ]
  }

  assert {
    condition = {
      for index in aws_dynamodb_table.this.local_secondary_index :
      index.name => join(" ", concat([index.range_key, index.projection_type], sort(coalesce(index.non_key_attributes, []))))
      } == {
      ByAmount = "Amount ALL"
      ByName   = "Name KEYS_ONLY"
      ByDay    = "Day INCLUDE Carrier Status"
    }
    error_message = "Each local index must have the key and hold the attributes asked for."
  }

  assert {
    condition     = { for attribute in aws_dynamodb_table.this.attribute : attribute.name => attribute.type } == { Identifier = "S", Order = "S", Team = "S", Amount = "N", Name = "S", Day = "S" }
    error_message = "Each key of the table and of an index must be declared, and once; other attributes must not be."
  }

  assert {
    condition     = output.index_arns["ByDay"] == "arn:aws:dynamodb:eu-west-1:111111111111:table/Totals/index/ByDay" && length(output.index_arns) == 4
    error_message = "Whoever reads an index, local or global, must learn its ARN."
  }
}

run "refuses_a_local_index_of_a_table_without_a_sort_key" {
  command = plan

  variables {
    local_indexes = [{ name = "ByAmount", range_key = { name = "Amount", type = "N" } }]
  }

  expect_failures = [var.local_indexes]
}

run "refuses_a_local_index_with_the_name_of_a_global_one" {
  command = plan

  variables {
    range_key     = { name = "Order", type = "S" }
    indexes       = [{ name = "ByAmount", hash_key = { name = "Team", type = "S" } }]
    local_indexes = [{ name = "ByAmount", range_key = { name = "Amount", type = "N" } }]
  }

  expect_failures = [var.local_indexes]
}

run "refuses_a_local_index_with_a_name_that_dynamodb_does_not_take" {
  command = plan

  variables {
    range_key     = { name = "Order", type = "S" }
    local_indexes = [{ name = "By amount", range_key = { name = "Amount", type = "N" } }]
  }

  expect_failures = [var.local_indexes]
}

run "refuses_a_local_index_with_a_key_of_an_unknown_type" {
  command = plan

  variables {
    range_key     = { name = "Order", type = "S" }
    local_indexes = [{ name = "ByAmount", range_key = { name = "Amount", type = "number" } }]
  }

  expect_failures = [var.local_indexes]
}

run "refuses_a_local_index_in_the_order_that_the_table_has_already" {
  command = plan

  variables {
    range_key     = { name = "Order", type = "S" }
    local_indexes = [{ name = "ByOrder", range_key = { name = "Order", type = "S" } }]
  }

  expect_failures = [var.local_indexes]
}

run "refuses_a_local_index_that_gives_an_attribute_a_second_type" {
  command = plan

  variables {
    range_key     = { name = "Order", type = "S" }
    indexes       = [{ name = "ByTeam", hash_key = { name = "Team", type = "S" }, range_key = { name = "Amount", type = "S" } }]
    local_indexes = [{ name = "ByAmount", range_key = { name = "Amount", type = "N" } }]
  }

  expect_failures = [var.local_indexes]
}

run "refuses_a_key_among_the_attributes_of_a_local_index" {
  command = plan

  variables {
    range_key     = { name = "Order", type = "S" }
    local_indexes = [{ name = "ByAmount", range_key = { name = "Amount", type = "N" }, attributes = ["Order"] }]
  }

  expect_failures = [var.local_indexes]
}

run "refuses_a_sixth_local_index" {
  command = plan

  variables {
    range_key     = { name = "Order", type = "S" }
    local_indexes = [for number in range(6) : { name = "Index${number}", range_key = { name = "Key${number}", type = "S" } }]
  }

  expect_failures = [var.local_indexes]
}

run "refuses_more_attributes_than_local_and_global_indexes_hold_together" {
  command = plan

  variables {
    range_key     = { name = "Order", type = "S" }
    indexes       = [{ name = "ByTeam", hash_key = { name = "Team", type = "S" }, attributes = [for number in range(60) : "a${number}"] }]
    local_indexes = [{ name = "ByAmount", range_key = { name = "Amount", type = "N" }, attributes = [for number in range(41) : "b${number}"] }]
  }

  expect_failures = [var.local_indexes]
}

run "refuses_two_indexes_of_one_name" {
  command = plan

  variables {
    indexes = [
      { name = "ByScore", hash_key = { name = "Board", type = "S" } },
      { name = "ByScore", hash_key = { name = "Team", type = "S" } },
    ]
  }

  expect_failures = [var.indexes]
}

run "refuses_an_index_with_a_key_of_an_unknown_type" {
  command = plan

  variables {
    indexes = [{ name = "ByScore", hash_key = { name = "Board", type = "S" }, range_key = { name = "Score", type = "number" } }]
  }

  expect_failures = [var.indexes]
}

run "refuses_a_key_among_the_attributes_of_an_index" {
  command = plan

  variables {
    indexes = [{ name = "ByBoard", hash_key = { name = "Board", type = "S" }, attributes = ["Identifier"] }]
  }

  expect_failures = [var.indexes]
}

run "refuses_more_attributes_than_a_tables_indexes_hold" {
  command = plan

  variables {
    indexes = [{ name = "ByBoard", hash_key = { name = "Board", type = "S" }, attributes = [for number in range(101) : "a${number}"] }]
  }

  expect_failures = [var.indexes]
}

run "refuses_a_key_of_an_unknown_type" {
  command = plan

  variables {
    hash_key = { name = "Identifier", type = "BOOL" }
  }

  expect_failures = [var.hash_key]
}

run "refuses_a_sort_key_of_an_unknown_type" {
  command = plan

  variables {
    range_key = { name = "Sort", type = "string" }
  }

  expect_failures = [var.range_key]
}

run "refuses_one_attribute_as_both_keys" {
  command = plan

  variables {
    range_key = { name = "Identifier", type = "S" }
  }

  expect_failures = [var.range_key]
}

run "refuses_names_and_values_that_dynamodb_refuses" {
  command = plan

  variables {
    name             = "a table"
    indexes          = [{ name = "by score", hash_key = { name = "Board", type = "S" } }]
    stream_view_type = "ALL"
    kms_key_arn      = "alias/mine"
  }

  expect_failures = [var.name, var.indexes, var.stream_view_type, var.kms_key_arn]
}

run "is_on_demand_by_default" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST" && length(aws_appautoscaling_target.this) == 0
    error_message = "Without capacity the table must follow any load by itself."
  }
}

run "refuses_a_capacity_whose_limits_are_the_wrong_way_round" {
  command = plan

  variables {
    capacity = { read = { min = 5, max = 4 }, write = { min = 1, max = 10 } }
  }

  expect_failures = [var.capacity]
}

run "refuses_a_target_that_auto_scaling_refuses" {
  command = plan

  variables {
    capacity = { read = { min = 5, max = 10, target_percent = 95 }, write = { min = 1, max = 10 } }
  }

  expect_failures = [var.capacity]
}

run "refuses_capacity_for_a_table_with_indexes" {
  command = plan

  variables {
    indexes  = [{ name = "ByOwner", hash_key = { name = "owner", type = "S" } }]
    capacity = { read = { min = 5, max = 10 }, write = { min = 1, max = 10 } }
  }

  expect_failures = [var.capacity]
}
