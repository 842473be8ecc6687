data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  # Glue and Athena know lower case only.
  database = replace(lower(var.name), "/[^a-z0-9_]/", "_")
  table    = "changes"

  # Where things are in the bucket.
  changes = "changes/"
  errors  = "errors/"
  results = "results/"
}

module "bucket" {
  source = "../private-bucket"

  name           = var.bucket_name
  retention_days = merge(var.retention_days == null ? {} : { (local.changes) = var.retention_days }, { (local.errors) = 365, (local.results) = 30 })
  kms_key_arn    = var.kms_key_arn
  force_destroy  = !var.deletion_protection
  tags           = var.tags
}

# Firehose writes each day's changes under a prefix of its own, as Parquet: a query reads the days and the columns that
# it names, and pays for no others. Firehose takes at least 64 MB for a buffer that it converts.
# https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html
resource "aws_kinesis_firehose_delivery_stream" "this" {
  name        = var.name
  destination = "extended_s3"
  tags        = var.tags

  server_side_encryption {
    enabled  = true
    key_type = var.kms_key_arn == null ? "AWS_OWNED_CMK" : "CUSTOMER_MANAGED_CMK"
    key_arn  = var.kms_key_arn
  }

  extended_s3_configuration {
    role_arn            = aws_iam_role.delivery.arn
    bucket_arn          = module.bucket.arn
    prefix              = "${local.changes}day=!{timestamp:yyyy-MM-dd}/"
    error_output_prefix = "${local.errors}!{firehose:error-output-type}/day=!{timestamp:yyyy-MM-dd}/"
    buffering_size      = 64
    buffering_interval  = var.buffering_seconds
    kms_key_arn         = var.kms_key_arn

    data_format_conversion_configuration {
      input_format_configuration {
        deserializer {
          open_x_json_ser_de {}
        }
      }

      output_format_configuration {
        serializer {
          parquet_ser_de {}
        }
      }

      schema_configuration {
        database_name = aws_glue_catalog_table.changes.database_name
        table_name    = aws_glue_catalog_table.changes.name
        role_arn      = aws_iam_role.delivery.arn
      }
    }

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.delivery.name
      log_stream_name = aws_cloudwatch_log_stream.delivery.name
    }
  }

  # Rights first: Firehose tries them when it is made.
  depends_on = [aws_iam_role_policy.delivery]
}

resource "aws_cloudwatch_log_group" "delivery" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts every log group. kms_key_arn sets a customer-managed key.
  #checkov:skip=CKV_AWS_338:The default of 30 days is enough to find a fault; what could not be delivered is in the bucket. settings.log_retention_days sets another.
  name              = "/aws/kinesisfirehose/${var.name}"
  retention_in_days = var.settings.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_cloudwatch_log_stream" "delivery" {
  name           = "delivery"
  log_group_name = aws_cloudwatch_log_group.delivery.name
}

resource "aws_iam_role" "delivery" {
  # Names of roles are the account's, not a Region's.
  # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
  name                 = "${var.name}-delivery${var.settings.global_name_suffix}"
  path                 = var.settings.role_path
  permissions_boundary = var.settings.permissions_boundary_arn
  description          = "Firehose's role to write the changes of ${var.name} to S3"
  tags                 = var.tags

  # No condition on the stream's ARN: no page says that Firehose sends aws:SourceArn when it assumes the role, and where it
  # does not, nothing would be delivered.
  # https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#firehose-assume-role
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "firehose.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  # Under another name the stream has the new role before the old one goes.
  lifecycle {
    create_before_destroy = true
  }
}

# https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
resource "aws_iam_role_policy" "delivery" {
  name = "delivery"
  role = aws_iam_role.delivery.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Bucket"
          Effect   = "Allow"
          Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
          Resource = [module.bucket.arn]
        },
        {
          Sid      = "Objects"
          Effect   = "Allow"
          Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
          Resource = ["${module.bucket.arn}/${local.changes}*", "${module.bucket.arn}/${local.errors}*"]
        },
        {
          Sid    = "Schema"
          Effect = "Allow"
          Action = ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"]
          Resource = [
            "arn:${data.aws_partition.current.partition}:glue:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:catalog",
            aws_glue_catalog_database.this.arn,
            aws_glue_catalog_table.changes.arn,
          ]
        },
        {
          Sid      = "Logs"
          Effect   = "Allow"
          Action   = ["logs:PutLogEvents"]
          Resource = ["${aws_cloudwatch_log_group.delivery.arn}:log-stream:${aws_cloudwatch_log_stream.delivery.name}"]
        },
      ],
      var.kms_key_arn == null ? [] : [{
        Sid      = "OwnKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
        # By way of S3 and in no other way. The name ends in amazonaws.com in all partitions.
        # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
        Condition = { StringEquals = { "kms:ViaService" = "s3.${data.aws_region.current.id}.amazonaws.com" } }
      }],
    )
  })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_glue_catalog_database" "this" {
  name        = local.database
  description = "Changes of ${var.name}, for Athena"
  tags        = var.tags
}

# Which days there are follows from the date (partition projection): there is no crawler to run, and no partition to add.
# https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
resource "aws_glue_catalog_table" "changes" {
  name          = local.table
  database_name = aws_glue_catalog_database.this.name
  description   = "One row a change; a change that was delivered again has several, with one sequence_number"
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                    = "TRUE"
    classification              = "parquet"
    "projection.enabled"        = "true"
    "projection.day.type"       = "date"
    "projection.day.format"     = "yyyy-MM-dd"
    "projection.day.range"      = "${var.first_day},NOW"
    "storage.location.template" = "s3://${module.bucket.name}/${local.changes}day=$${day}/"
  }

  partition_keys {
    name    = "day"
    type    = "string"
    comment = "The day (UTC) on which Firehose got the change, like 2026-01-31"
  }

  storage_descriptor {
    location      = "s3://${module.bucket.name}/${local.changes}"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = var.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

# Who queries in it cannot choose another place for results, nor scan more than the limit.
resource "aws_athena_workgroup" "this" {
  #checkov:skip=CKV_AWS_159:Results are encrypted with S3's keys unless kms_key_arn sets a customer-managed key.
  name          = var.name
  description   = "Queries on the changes of ${var.name}"
  force_destroy = !var.deletion_protection
  tags          = var.tags

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.scan_limit_mb * 1024 * 1024

    result_configuration {
      output_location = "s3://${module.bucket.name}/${local.results}"

      encryption_configuration {
        encryption_option = var.kms_key_arn == null ? "SSE_S3" : "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "this" {
  for_each = var.queries

  name        = each.key
  description = each.value.description
  workgroup   = aws_athena_workgroup.this.name
  database    = aws_glue_catalog_database.this.name
  query       = each.value.sql
}

# Ten minutes above what the buffer may wait.
resource "aws_cloudwatch_metric_alarm" "late" {
  alarm_name        = "${var.name}-late"
  alarm_description = "Firehose does not get the changes of ${var.name} to S3. They wait for 24 hours, then they are lost: read ${aws_cloudwatch_log_group.delivery.name}."

  namespace   = "AWS/Firehose"
  metric_name = "DeliveryToS3.DataFreshness"
  dimensions  = { DeliveryStreamName = aws_kinesis_firehose_delivery_stream.this.name }
  statistic   = "Maximum"
  period      = 300

  comparison_operator = "GreaterThanThreshold"
  threshold           = var.buffering_seconds + 600
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
  tags          = var.tags
}

resource "aws_cloudwatch_metric_alarm" "unconverted" {
  alarm_name        = "${var.name}-unconverted"
  alarm_description = "Firehose got lines that do not fit the table ${local.database}.${local.table}: they are not in any query's result. Read them under s3://${module.bucket.name}/${local.errors}."

  namespace   = "AWS/Firehose"
  metric_name = "FailedConversion.Records"
  dimensions  = { DeliveryStreamName = aws_kinesis_firehose_delivery_stream.this.name }
  statistic   = "Sum"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
  tags          = var.tags
}
