resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Access logs need a second bucket, which is the account's to choose. CloudTrail data events record access without one.
  #checkov:skip=CKV_AWS_144:Quarantined messages are evidence about one region's stream; a copy in another region would outlive the retention here.
  #checkov:skip=CKV_AWS_145:Objects are encrypted with S3's keys unless kms_key_arn sets an own key.
  #checkov:skip=CKV2_AWS_62:The Quarantined metric and its alarm report new objects; nothing listens to the bucket.
  bucket        = var.name
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# No ACLs: the bucket's owner owns every object, whoever writes it.
resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# A retry overwrites its object under the same key; the version before it stays for a while.
resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    # Only with an own key: a bucket key makes one KMS request serve many objects.
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

# Always there, for the plan need not know the days: without them, only uploads that were never completed are removed.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "retention"
    status = "Enabled"

    filter {}

    dynamic "expiration" {
      for_each = var.retention_days[*]

      content {
        days = expiration.value
      }
    }

    dynamic "noncurrent_version_expiration" {
      for_each = var.retention_days[*]

      content {
        noncurrent_days = var.noncurrent_retention_days
      }
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # Rules about versions mean nothing before the bucket has them.
  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 refuses two changes of a bucket's access settings at once.
  depends_on = [aws_s3_bucket_public_access_block.this]
}
