mock_provider "aws" {
  mock_data "aws_region" {
    defaults = {
      id = "eu-west-1"
    }
  }

  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }

  mock_resource "aws_cognito_user_pool" {
    defaults = {
      id       = "eu-west-1_x"
      endpoint = "cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x"
    }
  }
}

variables {
  name          = "shop-operators"
  domain_prefix = "shop-111111111111"
  page_urls     = ["https://shop.example.org/operators.html"]
}

run "lets_in_only_those_whom_an_administrator_has_made_with_a_code_and_no_secret" {
  assert {
    condition     = aws_cognito_user_pool.this.admin_create_user_config[0].allow_admin_create_user_only
    error_message = "Nobody must be able to sign up."
  }

  assert {
    condition     = aws_cognito_user_pool.this.mfa_configuration == "ON" && aws_cognito_user_pool.this.software_token_mfa_configuration[0].enabled
    error_message = "A second factor must be asked for."
  }

  assert {
    condition     = aws_cognito_user_pool.this.password_policy[0].minimum_length >= 14
    error_message = "Passwords must be long."
  }

  assert {
    condition     = aws_cognito_user_pool.this.deletion_protection == "ACTIVE"
    error_message = "Deletion protection must be on."
  }

  assert {
    condition     = !aws_cognito_user_pool_client.page.generate_secret && aws_cognito_user_pool_client.page.allowed_oauth_flows == toset(["code"])
    error_message = "A page has no secret, and tokens must not travel in URLs."
  }

  assert {
    condition     = aws_cognito_user_pool_client.page.explicit_auth_flows == toset(["ALLOW_REFRESH_TOKEN_AUTH"])
    error_message = "Passwords must go to the hosted page only."
  }

  assert {
    condition     = aws_cognito_user_pool_client.page.callback_urls == toset(var.page_urls) && aws_cognito_user_pool_client.page.prevent_user_existence_errors == "ENABLED" && aws_cognito_user_pool_client.page.enable_token_revocation
    error_message = "Codes must reach the named pages only, and errors must not tell who has an account."
  }

  assert {
    condition     = output.issuer == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x" && output.sign_in_url == "https://shop-111111111111.auth.eu-west-1.amazoncognito.com"
    error_message = "The issuer must be the tokens', and the page's address the domain's."
  }
}

run "is_as_lenient_as_told" {
  variables {
    mfa                 = "OFF"
    token_minutes       = 15
    deletion_protection = false
  }

  assert {
    condition     = length(aws_cognito_user_pool.this.software_token_mfa_configuration) == 0 && aws_cognito_user_pool_client.page.access_token_validity == 15 && aws_cognito_user_pool_client.page.id_token_validity == 15 && aws_cognito_user_pool.this.deletion_protection == "INACTIVE"
    error_message = "The settings must be those asked for."
  }
}

run "refuses_values_that_cognito_or_a_careful_operator_refuses" {
  command = plan

  variables {
    name          = "shop/operators"
    domain_prefix = "my-aws-shop"
    page_urls     = ["http://shop.example.org/operators.html"]
    mfa           = "SOMETIMES"
    token_minutes = 10080
  }

  expect_failures = [
    var.name,
    var.domain_prefix,
    var.page_urls,
    var.mfa,
    var.token_minutes,
  ]
}

run "knows_the_sign_in_page_of_govcloud" {
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-us-gov" }
  }

  override_data {
    target = data.aws_region.current
    values = { id = "us-gov-west-1" }
  }

  assert {
    condition     = output.sign_in_url == "https://shop-111111111111.auth-fips.us-gov-west-1.amazoncognito.com"
    error_message = "GovCloud has FIPS endpoints only."
  }
}

run "refuses_the_regions_of_china" {
  command = plan

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn" }
  }

  expect_failures = [aws_cognito_user_pool.this]
}
