# A configuration of its own that uses the pipeline as a module: no checkout, no build. The packages come from S3,
# and the messages from a role in another account.

module "orders" {
  # Outside this repository: git::https://github.com/<owner>/<repository>.git//modules/aggregation-pipeline?ref=<tag>
  source = "../../modules/aggregation-pipeline"

  name_prefix = var.name_prefix

  settings = {
    packages = {
      bucket = var.packages_bucket
      prefix = var.packages_prefix
    }
  }

  producer_principals = [var.producer_role_arn]
  kms_key_arn         = aws_kms_key.this.arn

  schema = {
    id     = "order"
    value  = "amount"
    levels = ["shop", "category"]
  }

  deletion_protection = var.deletion_protection
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  arn  = "arn:${data.aws_partition.current.partition}"
  here = "${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}"
}

# Another account can use the stream only with a key whose policy allows it: the one that AWS manages cannot be shared.
resource "aws_kms_key" "this" {
  description             = "LEDA ${var.name_prefix}"
  enable_key_rotation     = true
  deletion_window_in_days = 7

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "${local.arn}:iam::${data.aws_caller_identity.current.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}" }
        Action    = ["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "${local.arn}:logs:${local.here}:log-group:/aws/lambda/${var.name_prefix}*" } }
      },
      {
        Sid       = "Producer"
        Effect    = "Allow"
        Principal = { AWS = var.producer_role_arn }
        Action    = ["kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "kms:EncryptionContext:aws:kinesis:arn" = "${local.arn}:kinesis:${local.here}:stream/${var.name_prefix}IncomingDataStream" } }
      },
    ]
  })
}
