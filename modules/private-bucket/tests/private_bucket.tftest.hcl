mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::shop-lake"
    }
  }
}

variables {
  name = "shop-lake"
}

run "is_private_versioned_encrypted_and_kept_by_default_and_asks_for_tls" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "All public access must be blocked."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced" && aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "ACLs must be off and versions on."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Objects must be encrypted with S3's keys when no own key is given."
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy && length(aws_s3_bucket_lifecycle_configuration.this.rule) == 1
    error_message = "By default a bucket with objects must not be destroyed, and objects must not expire."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement == [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::shop-lake", "arn:aws:s3:::shop-lake/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "The policy must deny everything without TLS, and allow nothing."
  }
}

run "lets_a_reader_read_on_behalf_of_one_resource_only" {
  variables {
    readers = [{ service = "cloudfront.amazonaws.com", source_arn = "arn:aws:cloudfront::111111111111:distribution/E1" }]
  }

  assert {
    condition = [for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : statement if statement.Effect == "Allow"] == [{
      Sid       = "ReadCloudfront"
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = ["arn:aws:s3:::shop-lake/*"]
      Condition = { StringEquals = { "aws:SourceArn" = "arn:aws:cloudfront::111111111111:distribution/E1" } }
    }]
    error_message = "Only the distribution must be able to read, and nobody to write."
  }
}

run "expires_objects_by_their_prefix" {
  variables {
    retention_days            = { "errors/" = 365, "results/" = 30 }
    noncurrent_retention_days = 7
  }

  assert {
    condition     = { for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.filter[0].prefix => rule.expiration[0].days if length(rule.expiration) > 0 } == { "errors/" = 365, "results/" = 30 }
    error_message = "Each prefix must have its retention."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration[0].noncurrent_days == 7 && aws_s3_bucket_lifecycle_configuration.this.rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 1
    error_message = "Overwritten versions and abandoned uploads must be removed."
  }
}

run "expires_all_objects_alike_and_keeps_versions_if_told" {
  variables {
    retention_days            = { "" = 90 }
    noncurrent_retention_days = null
  }

  assert {
    condition     = { for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id => rule.expiration[0].days if length(rule.expiration) > 0 } == { "retention of all" = 90 }
    error_message = "All objects must expire."
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration) == 0
    error_message = "No version must expire."
  }
}

run "uses_an_own_key" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:111111111111:key/0b0b"
  }

  assert {
    condition = (
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
      && one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    )
    error_message = "Objects must be encrypted with the own key."
  }
}

run "refuses_values_that_s3_or_a_private_bucket_refuses" {
  command = plan

  variables {
    name                      = "Lake"
    retention_days            = { "results/" = 0 }
    noncurrent_retention_days = 0
    readers                   = [{ service = "*", source_arn = "arn:aws:cloudfront::111111111111:distribution/E1" }]
    kms_key_arn               = "alias/mine"
  }

  expect_failures = [
    var.name,
    var.retention_days,
    var.noncurrent_retention_days,
    var.readers,
    var.kms_key_arn,
  ]
}

run "refuses_a_reader_for_any_resource" {
  command = plan

  variables {
    readers = [{ service = "cloudfront.amazonaws.com", source_arn = "arn:aws:cloudfront::111111111111:distribution/*" }]
  }

  expect_failures = [var.readers]
}
