mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "111111111111"
    }
  }

  mock_data "aws_region" {
    defaults = {
      id = "eu-west-1"
    }
  }

  mock_data "aws_partition" {
    defaults = {
      partition  = "aws"
      dns_suffix = "amazonaws.com"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::111111111111:role/Function"
    }
  }

  mock_resource "aws_lambda_function" {
    defaults = {
      arn = "arn:aws:lambda:eu-west-1:111111111111:function:Function"
    }
  }

  mock_resource "aws_lambda_event_source_mapping" {
    defaults = {
      arn  = "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:0b0b"
      uuid = "0b0b"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-west-1:111111111111:log-group:/aws/lambda/Function"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn                         = "arn:aws:s3:::bucket"
      bucket_regional_domain_name = "bucket.s3.eu-west-1.amazonaws.com"
    }
  }

  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn        = "arn:aws:dynamodb:eu-west-1:111111111111:table/Table"
      stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Table/stream/2025-01-01T00:00:00.000"
    }
  }

  mock_resource "aws_kinesis_firehose_delivery_stream" {
    defaults = {
      arn = "arn:aws:firehose:eu-west-1:111111111111:deliverystream/shop"
    }
  }

  mock_resource "aws_cloudwatch_event_rule" {
    defaults = {
      arn = "arn:aws:events:eu-west-1:111111111111:rule/Schedule"
    }
  }

  mock_resource "aws_cognito_user_pool" {
    defaults = {
      id       = "eu-west-1_x"
      endpoint = "cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x"
    }
  }

  mock_resource "aws_apigatewayv2_api" {
    defaults = {
      id            = "a1b2c3"
      api_endpoint  = "https://a1b2c3.execute-api.eu-west-1.amazonaws.com"
      execution_arn = "arn:aws:execute-api:eu-west-1:111111111111:a1b2c3"
    }
  }

  mock_resource "aws_cloudfront_distribution" {
    defaults = {
      arn         = "arn:aws:cloudfront::111111111111:distribution/E1"
      domain_name = "d1.cloudfront.net"
    }
  }
}

override_resource {
  target = module.counts.module.reduce_table.aws_dynamodb_table.this
  values = {
    arn        = "arn:aws:dynamodb:eu-west-1:111111111111:table/Deltas"
    stream_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/Deltas/stream/2025-01-01T00:00:00.000"
  }
}

variables {
  settings       = { packages = { directory = "../function/tests/packages" } }
  site_directory = "tests/site"
}

run "is_the_shop_of_the_text_with_two_readers_and_the_least_rights" {
  assert {
    condition     = output.table.name == "UnifiedTable" && keys(output.table.index_arns) == ["inventory", "orders"]
    error_message = "The table must have its name and its two indexes."
  }

  assert {
    condition = { for package, function in output.functions : package => function.name } == {
      create_order        = "fnCreateOrder"
      storefront          = "fnStorefront"
      operations          = "fnOperations"
      update_inventory    = "fnUpdateInventory"
      update_totals       = "fnUpdateTotals"
      check_totals        = "fnCheckTotals"
      audit_totals        = "fnAuditTotals"
      read_stream         = "fnReadStream"
      create_vendor_order = "fnCreateVendorOrder"
      write_firehose      = "fnWriteFirehose"
      expire_orders       = "fnExpireOrders"
    }
    error_message = "The functions must have their names."
  }

  assert {
    condition     = keys(output.lake.queries) == ["best sellers", "restocks", "revenue by day and product", "time from order to shipment"] && alltrue([for sql in values(output.lake.queries) : strcontains(sql, "SELECT DISTINCT sequence_number") && strcontains(sql, "day >= ")])
    error_message = "Each query must count a change once and name the days that it reads."
  }

  assert {
    condition     = toset(keys(output.routes)) == toset(flatten([for path, methods in jsondecode(file("openapi.json")).paths : [for method in keys(methods) : "${upper(method)} ${path}" if contains(["get", "post", "put", "patch", "delete"], method)]]))
    error_message = "openapi.json and the API must have the same routes."
  }

  assert {
    condition     = alltrue([for route, token in output.routes : token == strcontains(route, " /admin/")])
    error_message = "All routes under /admin, and only they, must ask for a token."
  }

  assert {
    condition     = output.functions.update_inventory.event_source_arn == output.table.stream_arn && output.functions.read_stream.event_source_arn == output.table.stream_arn
    error_message = "Counts and the fan-out must read the table's stream."
  }

  assert {
    condition     = toset([for part, function in output.functions : part if try(function.event_source_arn == output.table.stream_arn, false)]) == toset(["update_inventory", "read_stream"])
    error_message = "A third reader of the table's stream would be throttled."
  }

  assert {
    condition = jsondecode(output.functions.update_inventory.environment.CONFIGURATION) == {
      group_by = {
        ordered = { keys = ["productId"], where = { itemType = ["orderLine"], status = ["Created", "Paid", "Shipped"] } }
        sold    = { keys = ["productId"], where = { itemType = ["orderLine"], status = ["Shipped"] } }
        orders  = { keys = ["itemType"], where = { itemType = ["order"], status = ["Created", "Paid", "Shipped"] } }
        shipped = { keys = ["itemType"], where = { itemType = ["order"], status = ["Shipped"] } }
      }
      measures = {
        Count        = { op = "count" }
        Pieces       = { op = "sum", field = "qty", missing = "0" }
        RevenueCents = { op = "sum", field = "totalCents", missing = "0" }
      }
    }
    error_message = "Lines must count for their product, orders for the shop, and neither once it has expired."
  }

  assert {
    condition     = output.functions.operations.environment.TOTALS_TABLE == output.totals_table.name && output.totals_table.name == "UnifiedTableTotals"
    error_message = "Operators must be shown these totals."
  }

  assert {
    condition     = jsondecode(local.filters[0]).dynamodb.NewImage.itemType.S == ["part", "order", "orderLine", "vendorOrder"]
    error_message = "Vendor orders and the lake must see everything but the functions' own rows."
  }

  assert {
    condition = { for package in ["create_order", "storefront", "operations", "expire_orders"] : package => join(" ", [for statement in jsondecode(output.functions[package].policy).Statement : "${statement.Sid}:${join(",", statement.Action)}" if statement.Sid != "Logs"]) } == {
      create_order  = "Order:dynamodb:BatchGetItem,dynamodb:PutItem,dynamodb:Query,dynamodb:UpdateItem"
      storefront    = "Read:dynamodb:GetItem,dynamodb:Query ReadIndex:dynamodb:Query"
      operations    = "ReadTotals:dynamodb:BatchGetItem Operate:dynamodb:BatchGetItem,dynamodb:ConditionCheckItem,dynamodb:Query,dynamodb:UpdateItem ReadIndexes:dynamodb:Query"
      expire_orders = "Close:dynamodb:BatchGetItem,dynamodb:Query,dynamodb:UpdateItem ReadIndex:dynamodb:Query"
    }
    error_message = "The shop window must be able to read only, and nobody to delete."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.expire_orders.schedule_expression == "rate(5 minutes)" && aws_cloudwatch_event_target.expire_orders.arn == output.functions.expire_orders.arn && aws_lambda_permission.expire_orders.source_arn == aws_cloudwatch_event_rule.expire_orders.arn
    error_message = "Orders that nobody pays must be closed on a schedule."
  }

  assert {
    condition     = local.routes["POST /orders"].throttle == { rate = 5, burst = 20 } && module.http_function["create_order"].environment.PAY_WITHIN_MINUTES == "1440" && module.http_function["create_order"].environment.MOST_UNPAID_ORDERS == "20"
    error_message = "Orders must be limited: all customers' by the second, a customer's by the number that is not paid, each by the time to pay."
  }

  assert {
    condition     = !contains(local.strings, "order_id")
    error_message = "The lake must not have orders' IDs, which open the orders."
  }

  assert {
    condition     = [for statement in jsondecode(output.functions.read_stream.policy).Statement : statement.Action if statement.Sid == "Tell"] == [["lambda:InvokeFunction"]] && [for statement in jsondecode(output.functions.write_firehose.policy).Statement : statement.Action if statement.Sid == "Deliver"] == [["firehose:PutRecordBatch"]]
    error_message = "The fan-out must be able to call the two, and the writer to write to its stream."
  }

  assert {
    condition     = alltrue([for statement in flatten([for function in values(output.functions) : jsondecode(function.policy).Statement]) : !strcontains(join(" ", statement.Action), "*") && !contains(statement.Resource, "*")])
    error_message = "No role may have a wildcard for actions or resources."
  }

  assert {
    condition     = output.site.url == "https://d1.cloudfront.net" && output.site.operators_url == "https://d1.cloudfront.net/operators.html"
    error_message = "The site must be CloudFront's."
  }

  assert {
    condition     = output.sign_in.authorize_url == "https://shop-111111111111.auth.eu-west-1.amazoncognito.com/oauth2/authorize" && output.sign_in.issuer == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x"
    error_message = "Operators must find the sign-in page."
  }
}

run "fits_into_an_account_beside_another_and_tells_somebody" {
  variables {
    name_prefix   = "Test-"
    cloudfront    = false
    site_url      = "https://example.org/shop"
    alarm_actions = ["arn:aws:sns:eu-west-1:111111111111:alarms"]
  }

  assert {
    condition     = output.table.name == "Test-UnifiedTable" && output.functions.create_order.name == "Test-fnCreateOrder" && output.lake.database == "test_shop" && output.site.bucket == "test-shop-site-111111111111-eu-west-1"
    error_message = "Every name must have the prefix."
  }

  assert {
    condition     = output.site.operators_url == "https://example.org/shop/operators.html"
    error_message = "Operators must come back to where the site is."
  }

  assert {
    condition     = { for service, alarm in aws_cloudwatch_metric_alarm.quarantined : service => alarm.dimensions.function_name } == { CreateVendorOrder = "Test-fnCreateVendorOrder", WriteFirehose = "Test-fnWriteFirehose" } && alltrue([for alarm in aws_cloudwatch_metric_alarm.quarantined : tolist(alarm.alarm_actions) == tolist(var.alarm_actions)])
    error_message = "Every function that puts changes aside must raise an alarm."
  }
}

run "refuses_values_that_leave_no_name_or_no_site" {
  command = plan

  variables {
    name_prefix    = "1-"
    site_directory = "../static-site/tests/site"
    cloudfront     = false
    orders         = { most_unpaid = 0 }
  }

  expect_failures = [
    var.orders,
    var.name_prefix,
    var.site_directory,
    var.site_url,
  ]
}

# The last one: while the protection is on, the test's own destroy is refused too.
run "can_be_destroyed_once_the_protection_is_lifted" {
  variables {
    deletion_protection = false
  }

  assert {
    condition     = !module.deletion_guard.protected
    error_message = "The apply must lift the protection in place."
  }
}
