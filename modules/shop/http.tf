# The shop window: the site, the API, the operators' sign-in, and the functions that answer.

locals {
  # Which function answers which route is said once: the API is made from it, and it must be what openapi.json says.
  routes = {
    "GET /products"                          = { function = "storefront" }
    "GET /products/{id}"                     = { function = "storefront" }
    "GET /orders/{id}"                       = { function = "storefront" }
    "GET /customers/{id}/orders"             = { function = "storefront" }
    "POST /orders"                           = { function = "create_order", throttle = var.orders.throttle }
    "GET /admin/inventory"                   = { function = "operations", token = true }
    "GET /admin/orders"                      = { function = "operations", token = true }
    "GET /admin/orders/{id}"                 = { function = "operations", token = true }
    "POST /admin/orders/{id}/pay"            = { function = "operations", token = true }
    "POST /admin/orders/{id}/ship"           = { function = "operations", token = true }
    "GET /admin/vendor-orders"               = { function = "operations", token = true }
    "POST /admin/vendor-orders/{id}/receive" = { function = "operations", token = true }
    "POST /admin/vendor-orders/{id}/cancel"  = { function = "operations", token = true }
    "GET /admin/metrics"                     = { function = "operations", token = true }
  }

  http_functions = {
    create_order = {
      service     = "CreateOrder"
      description = "LEDA: takes orders"
      environment = {
        PAY_WITHIN_MINUTES = var.orders.pay_within_minutes
        MOST_UNPAID_ORDERS = var.orders.most_unpaid
      }
      statements = [{
        sid       = "Order"
        actions   = ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        resources = [module.table.arn]
      }]
    }

    storefront = {
      service     = "Storefront"
      description = "LEDA: shows products, stock and orders"
      statements = [
        {
          sid       = "Read"
          actions   = ["dynamodb:GetItem", "dynamodb:Query"]
          resources = [module.table.arn]
        },
        {
          sid       = "ReadIndex"
          actions   = ["dynamodb:Query"]
          resources = [module.table.index_arns["inventory"]]
        },
      ]
    }

    operations = {
      service     = "Operations"
      description = "LEDA: shows operators stock, orders and vendor orders, and changes them"
      environment = { TOTALS_TABLE = module.counts.totals_table.name }
      statements = [
        {
          sid       = "ReadTotals"
          actions   = ["dynamodb:BatchGetItem"]
          resources = [module.counts.totals_table.arn]
        },
        {
          sid       = "Operate"
          actions   = ["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:Query", "dynamodb:UpdateItem"]
          resources = [module.table.arn]
        },
        {
          sid       = "ReadIndexes"
          actions   = ["dynamodb:Query"]
          resources = [module.table.index_arns["inventory"], module.table.index_arns["orders"]]
        },
      ]
    }
  }

  site_url      = var.cloudfront ? module.site.url : var.site_url
  operators_url = "${local.site_url}/operators.html"
}

module "http_function" {
  source   = "../function"
  for_each = local.http_functions

  name        = local.names[each.key]
  description = each.value.description
  service     = each.value.service
  package     = each.key

  environment = merge({
    SHOP_TABLE = module.table.name
  }, try(each.value.environment, {}))

  policy_statements = each.value.statements

  # Less than the 30 seconds for which the API waits.
  timeout_seconds = 25

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

module "api" {
  source = "../http-api"

  name        = local.names.shop
  description = "LEDA: the shop"
  functions   = { for part, function in module.http_function : part => { name = function.name, arn = function.arn } }
  routes      = local.routes
  jwt         = { issuer = module.operators.issuer, audience = [module.operators.client_id] }
  cors        = { origins = [regex("^https?://[^/]+", local.site_url)] }
  throttle    = var.throttle

  log_retention_days = try(var.settings.log_retention_days, null)
  kms_key_arn        = var.kms_key_arn
  alarm_actions      = var.alarm_actions
  tags               = var.tags
}

module "operators" {
  source = "../operator-sign-in"

  name                = "${local.names.shop}-operators"
  domain_prefix       = local.domain_prefix
  page_urls           = [local.operators_url]
  mfa                 = var.operators_mfa
  deletion_protection = var.deletion_protection
  tags                = var.tags
}

module "site" {
  source = "../static-site"

  bucket_name = local.site_name
  directory   = var.site_directory
  cloudfront  = var.cloudfront

  files = {
    "config.json" = jsonencode({
      apiUrl = module.api.endpoint
      signIn = local.sign_in
    })
  }

  # The API must know the site's address before it has one of its own, so any API of the region has to do.
  connect_sources = [
    "https://*.execute-api.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}",
    module.operators.sign_in_url,
  ]

  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
  tags                = var.tags
}

locals {
  sign_in = {
    authorizeUrl = "${module.operators.sign_in_url}/oauth2/authorize"
    tokenUrl     = "${module.operators.sign_in_url}/oauth2/token"
    logoutUrl    = "${module.operators.sign_in_url}/logout"
    clientId     = module.operators.client_id
    scopes       = ["openid", "email"]
  }
}
