mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn                         = "arn:aws:s3:::shop-site"
      bucket_regional_domain_name = "shop-site.s3.eu-west-1.amazonaws.com"
    }
  }

  mock_resource "aws_cloudfront_distribution" {
    defaults = {
      arn         = "arn:aws:cloudfront::111111111111:distribution/E1"
      domain_name = "d1.cloudfront.net"
    }
  }

  mock_resource "aws_cloudfront_origin_access_control" {
    defaults = {
      id = "OAC1"
    }
  }
}

variables {
  bucket_name     = "shop-site"
  directory       = "tests/site"
  files           = { "config.json" = "{\"apiUrl\": \"https://api.example.org\"}" }
  connect_sources = ["https://api.example.org"]
}

run "puts_the_files_into_the_bucket_and_serves_them_by_cloudfront_only" {
  assert {
    condition = { for key, file in aws_s3_object.file : key => file.content_type } == {
      "404.html"   = "text/html; charset=utf-8"
      "index.html" = "text/html; charset=utf-8"
      "js/page.js" = "text/javascript; charset=utf-8"
    }
    error_message = "Every file of the folder must be there with its type."
  }

  assert {
    condition     = aws_s3_object.generated["config.json"].content == var.files["config.json"] && aws_s3_object.generated["config.json"].content_type == "application/json"
    error_message = "A generated file must take the place of the folder's."
  }

  assert {
    condition     = alltrue([for file in merge(aws_s3_object.file, aws_s3_object.generated) : file.cache_control == "no-cache"])
    error_message = "A new version of the site must be seen at once."
  }

  assert {
    condition     = aws_cloudfront_distribution.this[0].default_cache_behavior[0].viewer_protocol_policy == "redirect-to-https" && aws_cloudfront_distribution.this[0].default_cache_behavior[0].allowed_methods == toset(["GET", "HEAD"])
    error_message = "Pages must come over TLS, and nothing can be written."
  }

  assert {
    condition     = one(aws_cloudfront_distribution.this[0].origin).origin_access_control_id == "OAC1" && aws_cloudfront_origin_access_control.this[0].signing_behavior == "always"
    error_message = "CloudFront must sign what it asks of the bucket."
  }

  assert {
    condition     = { for each in aws_cloudfront_distribution.this[0].custom_error_response : each.error_code => "${each.response_code} ${each.response_page_path}" } == { "403" = "404 /404.html", "404" = "404 /404.html" }
    error_message = "A path where nothing is must show the site's own page, and not S3's XML."
  }

  assert {
    condition     = output.url == "https://d1.cloudfront.net"
    error_message = "Whoever visits the site must learn its address."
  }

  assert {
    condition     = strcontains(aws_cloudfront_response_headers_policy.this[0].security_headers_config[0].content_security_policy[0].content_security_policy, "connect-src 'self' https://api.example.org;") && !strcontains(aws_cloudfront_response_headers_policy.this[0].security_headers_config[0].content_security_policy[0].content_security_policy, "unsafe")
    error_message = "Pages must be able to call the API, and nothing else."
  }

  assert {
    condition     = aws_cloudfront_response_headers_policy.this[0].security_headers_config[0].frame_options[0].frame_option == "DENY" && aws_cloudfront_response_headers_policy.this[0].security_headers_config[0].strict_transport_security[0].access_control_max_age_sec >= 31536000
    error_message = "Pages must not be framed, and must not be asked for without TLS."
  }
}

run "is_a_private_bucket_without_cloudfront" {
  variables {
    cloudfront = false
  }

  assert {
    condition     = length(aws_cloudfront_distribution.this) == 0 && length(aws_cloudfront_response_headers_policy.this) == 0 && output.url == null
    error_message = "There must be no distribution, and no address."
  }
}

run "refuses_values_that_s3_or_a_careful_browser_refuses" {
  command = plan

  variables {
    bucket_name     = "Site"
    directory       = "tests"
    connect_sources = ["https://*.com"]
  }

  expect_failures = [
    var.bucket_name,
    var.directory,
    var.connect_sources,
  ]
}

run "refuses_calls_to_anywhere" {
  command = plan

  variables {
    connect_sources = ["*"]
  }

  expect_failures = [var.connect_sources]
}
