# Where the function's code comes from: a folder with zips (what `make build` writes), or an S3 bucket
# (what `scripts/build --publish s3://bucket/prefix` uploads).

locals {
  # By the key, which the plan knows: the bucket's name may be known only at the apply.
  from_s3 = contains(keys(var.settings.packages), "bucket")
  bucket  = lookup(var.settings.packages, "bucket", null)

  directory = coalesce(lookup(var.settings.packages, "directory", null), "${path.module}/../../build")
  zip_path  = "${local.directory}/${var.package}.zip"

  prefix       = trim(coalesce(lookup(var.settings.packages, "prefix", null), "/"), "/")
  manifest_key = join("/", compact([local.prefix, "packages.json"]))
  manifest     = local.from_s3 ? jsondecode(data.aws_s3_object.manifest[0].body) : {}
  published    = lookup(local.manifest, var.package, null)
  zip_key      = local.published == null ? null : join("/", compact([local.prefix, local.published.key]))

  # The digest as Lambda reports it, so that a plan sees changed code; null: there is no package.
  zip_digest = (
    local.from_s3 ? (local.published == null ? null : local.published.base64sha256)
    : fileexists(local.zip_path) ? filebase64sha256(local.zip_path) : null
  )

  package_missing = (
    local.from_s3
    ? "s3://${coalesce(local.bucket, "-")}/${local.manifest_key} lists no package \"${var.package}\". Publish the packages with: scripts/build --publish s3://${join("/", compact([local.bucket, local.prefix]))}"
    : "There is no package ${local.zip_path}. Take the module from a release (?ref=v<version>), whose tag holds the packages; or build them with: make build (or scripts/build); or set settings.packages to the folder, or to the S3 bucket and prefix, that holds them."
  )
}

# A listing first: it answers with nothing where reading an absent object would fail without saying what to do.
data "aws_s3_objects" "manifest" {
  count = local.from_s3 ? 1 : 0

  bucket = local.bucket
  prefix = local.manifest_key

  lifecycle {
    postcondition {
      condition     = contains(self.keys, local.manifest_key)
      error_message = "There is no s3://${coalesce(local.bucket, "-")}/${local.manifest_key}. Publish the packages with: scripts/build --publish s3://${join("/", compact([local.bucket, local.prefix]))}"
    }
  }
}

data "aws_s3_object" "manifest" {
  count = local.from_s3 ? 1 : 0

  bucket = data.aws_s3_objects.manifest[0].bucket
  key    = local.manifest_key
}
