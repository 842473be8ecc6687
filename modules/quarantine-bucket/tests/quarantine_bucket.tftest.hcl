mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::leda-quarantine"
    }
  }
}

variables {
  name = "leda-quarantine"
}

run "is_a_private_bucket" {
  assert {
    condition     = output.name == "leda-quarantine" && output.arn == "arn:aws:s3:::leda-quarantine"
    error_message = "The bucket must have the name, and callers learn its ARN."
  }
}

# modules/private-bucket tests what it makes of these.
run "keeps_objects_as_long_as_told" {
  variables {
    retention_days            = 90
    noncurrent_retention_days = 7
  }

  assert {
    condition     = local.retention == { objects = { "" = 90 }, versions = 7 }
    error_message = "All objects must expire after the retention, and overwritten versions too."
  }
}

run "keeps_objects_for_good_if_told" {
  variables {
    retention_days = null
  }

  assert {
    condition     = length(local.retention.objects) == 0 && local.retention.versions == null
    error_message = "Nothing must expire."
  }
}
