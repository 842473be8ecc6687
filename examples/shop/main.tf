# The shop with the names of its text: UnifiedTable, fnCreateOrder, fnUpdateInventory, fnCreateVendorOrder, fnWriteFirehose, fnReadStream.

module "shop" {
  # From another repository: git::https://github.com/<owner>/<repository>.git//modules/shop?ref=<tag>
  source = "../../modules/shop"

  name_prefix    = var.name_prefix
  site_directory = "${path.module}/site"

  cloudfront       = var.cloudfront
  site_url         = var.site_url
  site_bucket_name = var.site_bucket_name

  # A first look should not need an authenticator: an operator may set one up, and then needs it. A shop says ON.
  operators_mfa = "OPTIONAL"

  # Fresh rather than cheap: an object a minute. A shop with many orders collects for longer.
  lake = { buffering_seconds = 60 }

  single_shard        = var.single_shard
  deletion_protection = var.deletion_protection
}
