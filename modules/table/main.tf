locals {
  index_keys = concat(
    flatten([for index in var.indexes : concat([index.hash_key], index.range_key[*])]),
    var.local_indexes[*].range_key,
  )

  scaled = var.capacity == null ? {} : { Read = var.capacity.read, Write = var.capacity.write }
}

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119:Every table is encrypted. The default is the key that AWS owns, which costs nothing; kms_key_arn sets a customer-managed key.
  name = var.name
  tags = var.tags

  billing_mode   = var.capacity == null ? "PAY_PER_REQUEST" : "PROVISIONED"
  read_capacity  = one(var.capacity[*].read.min)
  write_capacity = one(var.capacity[*].write.min)

  hash_key  = var.hash_key.name
  range_key = one(var.range_key[*].name)

  stream_enabled   = var.stream_view_type != null
  stream_view_type = var.stream_view_type

  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = distinct(concat([var.hash_key], var.range_key[*], local.index_keys))

    content {
      name = attribute.value.name
      type = attribute.value.type
    }
  }

  dynamic "global_secondary_index" {
    for_each = { for index in var.indexes : index.name => index }

    content {
      name               = global_secondary_index.key
      hash_key           = global_secondary_index.value.hash_key.name
      range_key          = one(global_secondary_index.value.range_key[*].name)
      projection_type    = global_secondary_index.value.attributes == null ? "ALL" : length(global_secondary_index.value.attributes) == 0 ? "KEYS_ONLY" : "INCLUDE"
      non_key_attributes = length(coalesce(global_secondary_index.value.attributes, [])) == 0 ? null : global_secondary_index.value.attributes
    }
  }

  dynamic "local_secondary_index" {
    for_each = { for index in var.local_indexes : index.name => index }

    content {
      name               = local_secondary_index.key
      range_key          = local_secondary_index.value.range_key.name
      projection_type    = local_secondary_index.value.attributes == null ? "ALL" : length(local_secondary_index.value.attributes) == 0 ? "KEYS_ONLY" : "INCLUDE"
      non_key_attributes = length(coalesce(local_secondary_index.value.attributes, [])) == 0 ? null : local_secondary_index.value.attributes
    }
  }

  dynamic "ttl" {
    for_each = var.ttl_attribute[*]

    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery
  }

  # No block at all leaves the key that AWS owns; `enabled` without a key would choose the one that AWS manages.
  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn[*]

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  # Auto scaling sets them.
  lifecycle {
    ignore_changes = [read_capacity, write_capacity]
  }
}

resource "aws_appautoscaling_target" "this" {
  for_each = local.scaled

  service_namespace  = "dynamodb"
  resource_id        = "table/${aws_dynamodb_table.this.name}"
  scalable_dimension = "dynamodb:table:${each.key}CapacityUnits"
  min_capacity       = each.value.min
  max_capacity       = each.value.max
  tags               = var.tags
}

resource "aws_appautoscaling_policy" "this" {
  for_each = local.scaled

  name               = "${var.name}-${lower(each.key)}-utilization"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value = each.value.target_percent

    predefined_metric_specification {
      predefined_metric_type = "DynamoDB${each.key}CapacityUtilization"
    }
  }
}
