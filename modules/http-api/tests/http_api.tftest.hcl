mock_provider "aws" {
  mock_resource "aws_apigatewayv2_api" {
    defaults = {
      id            = "a1b2c3"
      api_endpoint  = "https://a1b2c3.execute-api.eu-west-1.amazonaws.com"
      execution_arn = "arn:aws:execute-api:eu-west-1:111111111111:a1b2c3"
    }
  }

  mock_resource "aws_apigatewayv2_authorizer" {
    defaults = {
      id = "auth1"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-west-1:111111111111:log-group:/aws/vendedlogs/apigateway/shop"
    }
  }
}

variables {
  name = "shop"

  functions = {
    orders  = { name = "fnOrders", arn = "arn:aws:lambda:eu-west-1:111111111111:function:fnOrders" }
    metrics = { name = "fnMetrics", arn = "arn:aws:lambda:eu-west-1:111111111111:function:fnMetrics" }
  }

  routes = {
    "GET /orders/{id}"   = { function = "orders" }
    "POST /orders"       = { function = "orders", throttle = { rate = 5, burst = 10 } }
    "GET /admin/metrics" = { function = "metrics", token = true }
  }

  jwt = { issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x", audience = ["client"] }
}

run "leads_each_route_to_its_function_with_a_token_where_told_and_nothing_else" {
  assert {
    condition     = toset([for route in aws_apigatewayv2_route.this : route.route_key]) == toset(["GET /orders/{id}", "POST /orders", "GET /admin/metrics"])
    error_message = "There must be the named routes and no catch-all."
  }

  assert {
    condition     = { for name, integration in aws_apigatewayv2_integration.function : name => "${integration.integration_type} ${integration.payload_format_version} ${integration.integration_uri}" } == { for name, function in var.functions : name => "AWS_PROXY 2.0 ${function.arn}" }
    error_message = "Functions must get events of format 2.0."
  }

  assert {
    condition = { for part, permission in aws_lambda_permission.api : part => "${permission.function_name} ${permission.source_arn}" } == {
      orders  = "fnOrders arn:aws:execute-api:eu-west-1:111111111111:a1b2c3/*/*"
      metrics = "fnMetrics arn:aws:execute-api:eu-west-1:111111111111:a1b2c3/*/*"
    }
    error_message = "This API must be able to call the functions, and no other."
  }

  assert {
    condition     = { for key, route in aws_apigatewayv2_route.this : key => route.authorization_type } == { "GET /orders/{id}" = "NONE", "POST /orders" = "NONE", "GET /admin/metrics" = "JWT" }
    error_message = "Only /admin must ask for a token."
  }

  assert {
    condition     = aws_apigatewayv2_route.this["GET /admin/metrics"].authorizer_id == aws_apigatewayv2_authorizer.jwt[0].id && aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].issuer == var.jwt.issuer && tolist(aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].audience) == tolist(["client"])
    error_message = "The token must be the issuer's, made for the client."
  }

  assert {
    condition     = length(aws_apigatewayv2_api.this.cors_configuration) == 0
    error_message = "CORS must be off until origins are named."
  }
}

run "throttles_logs_and_alarms" {
  variables {
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 50 && aws_apigatewayv2_stage.this.default_route_settings[0].throttling_burst_limit == 100
    error_message = "Every route must be throttled."
  }

  assert {
    condition     = [for setting in aws_apigatewayv2_stage.this.route_settings : "${setting.route_key} ${setting.throttling_rate_limit} ${setting.throttling_burst_limit}"] == ["POST /orders 5 10"]
    error_message = "A route's own limits must take the place of the common ones."
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.access_log_settings[0].destination_arn == aws_cloudwatch_log_group.access.arn && aws_cloudwatch_log_group.access.retention_in_days == 30
    error_message = "Requests must be logged, and the log must not grow for ever."
  }

  assert {
    condition     = !strcontains(lower(aws_apigatewayv2_stage.this.access_log_settings[0].format), "header") && !strcontains(aws_apigatewayv2_stage.this.access_log_settings[0].format, "$context.path")
    error_message = "The log must hold neither tokens nor IDs of customers."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.errors.metric_name == "5xx" && tolist(aws_cloudwatch_metric_alarm.errors.alarm_actions) == tolist(var.alarm_actions)
    error_message = "Errors must reach the topic."
  }
}

run "lets_the_named_pages_call_it" {
  variables {
    cors = { origins = ["https://shop.example.org"] }
  }

  assert {
    condition     = tolist(aws_apigatewayv2_api.this.cors_configuration[0].allow_origins) == tolist(["https://shop.example.org"]) && toset(aws_apigatewayv2_api.this.cors_configuration[0].allow_headers) == toset(["authorization", "content-type"])
    error_message = "The shop's pages must be able to call the API with a token."
  }
}

run "refuses_values_that_aws_refuses_or_that_open_the_api" {
  command = plan

  variables {
    jwt = null
  }

  expect_failures = [aws_apigatewayv2_route.this]
}

run "refuses_tokens_of_every_client" {
  command = plan

  variables {
    jwt                = { issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x", audience = [] }
    routes             = { "$default" = { function = "orders" } }
    cors               = { origins = ["*"] }
    throttle           = { rate = 0, burst = 0 }
    name               = "the shop"
    log_retention_days = 2
    kms_key_arn        = "alias/mine"
    alarm_actions      = ["ops@example.org"]
  }

  expect_failures = [
    var.jwt,
    var.routes,
    var.cors,
    var.throttle,
    var.name,
    var.log_retention_days,
    var.kms_key_arn,
    var.alarm_actions,
  ]
}

run "refuses_a_route_to_no_function" {
  command = plan

  variables {
    routes = { "GET /orders" = { function = "nobody" } }
  }

  expect_failures = [var.routes]
}
