data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  # https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-cog.html
  sign_in_host = "${data.aws_partition.current.partition == "aws-us-gov" ? "auth-fips" : "auth"}.${data.aws_region.current.id}.amazoncognito.com"

  issuer = "https://${aws_cognito_user_pool.this.endpoint}"
}

# Nobody signs up: an administrator makes the accounts. So every token of the pool is an operator's.
resource "aws_cognito_user_pool" "this" {
  name                = var.name
  deletion_protection = var.deletion_protection ? "ACTIVE" : "INACTIVE"
  mfa_configuration   = var.mfa
  tags                = var.tags

  username_attributes      = ["email"]
  auto_verified_attributes = ["email"]

  admin_create_user_config {
    allow_admin_create_user_only = true
  }

  password_policy {
    minimum_length                   = 14
    require_lowercase                = true
    require_uppercase                = true
    require_numbers                  = true
    require_symbols                  = true
    temporary_password_validity_days = 3
  }

  dynamic "software_token_mfa_configuration" {
    for_each = var.mfa == "OFF" ? [] : [true]

    content {
      enabled = true
    }
  }

  # By mail to the verified address only: a text message reaches anybody who has the number.
  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }

  username_configuration {
    case_sensitive = false
  }

  lifecycle {
    # https://docs.amazonaws.cn/en_us/aws/latest/userguide/cognito.html
    precondition {
      condition     = data.aws_partition.current.partition != "aws-cn"
      error_message = "Amazon Cognito has no user pools in the Regions of China: operators need another identity provider there."
    }
  }
}

# The page with the sign-in form: https://<domain_prefix>.auth.<region>.amazoncognito.com, in GovCloud auth-fips in place of auth.
resource "aws_cognito_user_pool_domain" "this" {
  user_pool_id = aws_cognito_user_pool.this.id
  domain       = var.domain_prefix
}

# A page in a browser keeps no secret: it proves with PKCE that the code it trades for tokens was meant for it.
# https://docs.aws.amazon.com/cognito/latest/developerguide/using-pkce-in-authorization-code.html
resource "aws_cognito_user_pool_client" "page" {
  name         = "${var.name}-page"
  user_pool_id = aws_cognito_user_pool.this.id

  generate_secret                      = false
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes                 = ["openid", "email"]
  supported_identity_providers         = ["COGNITO"]
  callback_urls                        = var.page_urls
  logout_urls                          = var.page_urls

  # Passwords go to the hosted page, and to nothing else.
  explicit_auth_flows = ["ALLOW_REFRESH_TOKEN_AUTH"]

  access_token_validity  = var.token_minutes
  id_token_validity      = var.token_minutes
  refresh_token_validity = 12

  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "hours"
  }

  enable_token_revocation       = true
  prevent_user_existence_errors = "ENABLED"
}
