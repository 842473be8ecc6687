locals {
  # Without a retention everything stays, and so do versions that a retry has overwritten.
  retention = {
    objects  = { for days in var.retention_days[*] : "" => days }
    versions = var.retention_days == null ? null : var.noncurrent_retention_days
  }
}

module "bucket" {
  source = "../private-bucket"

  name                      = var.name
  retention_days            = local.retention.objects
  noncurrent_retention_days = local.retention.versions
  kms_key_arn               = var.kms_key_arn
  force_destroy             = var.force_destroy
  tags                      = var.tags
}
