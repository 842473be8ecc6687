locals {
  root = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"
}

# One key for everything. Its policy is part of it, so that it is in force before anything uses the key.
resource "aws_kms_key" "this" {
  description             = "LEDA ${var.name_prefix}"
  enable_key_rotation     = true
  deletion_window_in_days = 7

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          # The account's own IAM policies decide, which is how the modules let the functions use the key.
          Sid       = "Account"
          Effect    = "Allow"
          Principal = { AWS = local.root }
          Action    = "kms:*"
          Resource  = "*"
        },
        {
          # CloudWatch Logs encrypts the functions' log groups.
          # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
          Sid       = "Logs"
          Effect    = "Allow"
          Principal = { Service = "logs.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}" }
          Action    = ["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
          Resource  = "*"
          Condition = {
            ArnLike = {
              "kms:EncryptionContext:aws:logs:arn" = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:log-group:/aws/lambda/${var.name_prefix}*"
            }
          }
        },
        {
          # CloudWatch's alarms write to the encrypted topic.
          # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
          Sid       = "Alarms"
          Effect    = "Allow"
          Principal = { Service = "cloudwatch.amazonaws.com" }
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = "*"
          Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
        },
      ],
      # Producers of other accounts encrypt what they put.
      # https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html
      length(var.producer_principals) == 0 ? [] : [{
        Sid       = "Producers"
        Effect    = "Allow"
        Principal = { AWS = var.producer_principals }
        Action    = ["kms:GenerateDataKey"]
        Resource  = "*"
        Condition = {
          StringEquals = { "kms:EncryptionContext:aws:kinesis:arn" = "arn:${data.aws_partition.current.partition}:kinesis:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:stream/${var.name_prefix}IncomingDataStream" }
        }
      }],
    )
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name_prefix}leda"
  target_key_id = aws_kms_key.this.key_id
}
