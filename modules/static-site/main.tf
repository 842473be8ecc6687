locals {
  types = {
    css   = "text/css; charset=utf-8"
    html  = "text/html; charset=utf-8"
    ico   = "image/x-icon"
    js    = "text/javascript; charset=utf-8"
    json  = "application/json"
    png   = "image/png"
    svg   = "image/svg+xml"
    txt   = "text/plain; charset=utf-8"
    woff2 = "font/woff2"
  }

  # Browsers ask again at each visit whether a file has changed: a new version of the site is there at once.
  cache_control = "no-cache"

  paths  = setsubtract(fileset(var.directory, "**"), keys(var.files))
  origin = one(aws_cloudfront_distribution.this[*].domain_name)

  content_security_policy = join("; ", [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src ${join(" ", concat(["'self'"], var.connect_sources))}",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ])
}

module "bucket" {
  source = "../private-bucket"

  name          = var.bucket_name
  kms_key_arn   = var.kms_key_arn
  force_destroy = !var.deletion_protection
  tags          = var.tags

  readers = [for distribution in aws_cloudfront_distribution.this : {
    service    = "cloudfront.amazonaws.com"
    source_arn = distribution.arn
  }]
}

resource "aws_s3_object" "file" {
  for_each = local.paths

  bucket        = module.bucket.name
  key           = each.value
  source        = "${var.directory}/${each.value}"
  source_hash   = filemd5("${var.directory}/${each.value}")
  content_type  = lookup(local.types, lower(reverse(split(".", each.value))[0]), "application/octet-stream")
  cache_control = local.cache_control
}

resource "aws_s3_object" "generated" {
  for_each = toset(keys(var.files))

  bucket        = module.bucket.name
  key           = each.value
  content       = var.files[each.value]
  content_type  = lookup(local.types, lower(reverse(split(".", each.value))[0]), "application/octet-stream")
  cache_control = local.cache_control
}

resource "aws_cloudfront_origin_access_control" "this" {
  count = var.cloudfront ? 1 : 0

  name                              = var.bucket_name
  description                       = "CloudFront's signature on what it asks of ${var.bucket_name}"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_response_headers_policy" "this" {
  #checkov:skip=CKV_AWS_259:All but `preload`, which promises TLS for a whole registered domain: cloudfront.net is AWS's.
  count = var.cloudfront ? 1 : 0

  name    = var.bucket_name
  comment = "What browsers must not do with the pages of ${var.bucket_name}"

  security_headers_config {
    content_security_policy {
      content_security_policy = local.content_security_policy
      override                = true
    }

    content_type_options {
      override = true
    }

    frame_options {
      frame_option = "DENY"
      override     = true
    }

    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }

    strict_transport_security {
      access_control_max_age_sec = 63072000
      include_subdomains         = true
      override                   = true
    }
  }
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_68:Static files have nothing to inject into; a firewall costs more than it guards here.
  #checkov:skip=CKV2_AWS_47:As above: no firewall, and no Log4j behind static files.
  #checkov:skip=CKV_AWS_86:Access logs need a bucket, which is the account's to choose. The API, where something happens, logs every request.
  #checkov:skip=CKV_AWS_174:With the host name that CloudFront gives comes its certificate, and its choice of TLS versions. An own domain is the account's.
  #checkov:skip=CKV2_AWS_42:As above: no own domain, no own certificate.
  #checkov:skip=CKV_AWS_310:One bucket is the only origin: S3 keeps it in three zones.
  #checkov:skip=CKV_AWS_374:A shop window is open to the world.
  count = var.cloudfront ? 1 : 0

  comment             = var.bucket_name
  enabled             = true
  is_ipv6_enabled     = true
  http_version        = "http2and3"
  price_class         = "PriceClass_100"
  default_root_object = "index.html"
  tags                = var.tags

  origin {
    origin_id                = "bucket"
    domain_name              = module.bucket.regional_domain_name
    origin_access_control_id = one(aws_cloudfront_origin_access_control.this[*].id)
  }

  default_cache_behavior {
    target_origin_id           = "bucket"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    viewer_protocol_policy     = "redirect-to-https"
    compress                   = true
    response_headers_policy_id = one(aws_cloudfront_response_headers_policy.this[*].id)

    # CachingOptimized, of AWS: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
    cache_policy_id = "658327ea-f89d-4fab-a63d-7e88639e58f6"
  }

  # CloudFront may not list the bucket, so S3 answers 403 for what is not there.
  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
  dynamic "custom_error_response" {
    for_each = [403, 404]

    content {
      error_code            = custom_error_response.value
      response_code         = 404
      response_page_path    = "/404.html"
      error_caching_min_ttl = 10
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}
