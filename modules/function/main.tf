data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  environment = merge(var.environment, {
    POWERTOOLS_SERVICE_NAME          = var.service
    POWERTOOLS_METRICS_NAMESPACE     = "LEDA"
    POWERTOOLS_METRICS_FUNCTION_NAME = var.name
    POWERTOOLS_LOG_LEVEL             = var.settings.log_level
  })

  # Known before the function is made, so that its own policy can name it.
  function_arn = "arn:${data.aws_partition.current.partition}:lambda:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:function:${var.name}"

  # The services through which the function reaches what the key encrypts are those that it may call at all.
  key_services = distinct([for action in flatten(var.policy_statements[*].actions) : split(":", action)[0]])

  own_key_statements = var.kms_key_arn == null || length(local.key_services) == 0 ? [] : [{
    # Decrypt: encrypted stream records and tables. GenerateDataKey: objects and tables that it writes. Encrypt and DescribeKey: DynamoDB asks for them on behalf of the user of a table with a customer-managed key.
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    Sid      = "OwnKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn]
    # By way of these services and in no other way. The names end in amazonaws.com in all partitions.
    # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    Condition = { StringEquals = { "kms:ViaService" = [for service in local.key_services : "${service}.${data.aws_region.current.id}.amazonaws.com"] } }
  }]

  # X-Ray's write actions cannot be limited to a resource.
  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
  tracing_statements = !var.settings.tracing ? [] : [{
    Sid      = "Traces"
    Effect   = "Allow"
    Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    Resource = ["*"]
  }]

  # Lambda itself makes the network interfaces, with the function's role, before it runs the function, and cannot tell their names.
  # The code of the function is denied the same actions.
  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
  # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
  network_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]
  network_statements = flatten([for vpc in var.settings.vpc[*] : [
    { Sid = "NetworkInterfaces", Effect = "Allow", Action = local.network_actions, Resource = ["*"] },
    {
      Sid       = "NetworkInterfacesNotFromCode"
      Effect    = "Deny"
      Action    = local.network_actions
      Resource  = ["*"]
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.function_arn } }
    },
  ]])
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Tracing costs a price for each trace and the right to send them; LEDA's metrics and logs say the same of a batch. settings.tracing switches it on.
  #checkov:skip=CKV_AWS_115:Reserved concurrency is taken from the whole account; the shards of its source bound a stream function already. reserved_concurrency sets it.
  #checkov:skip=CKV_AWS_116:A dead-letter queue serves asynchronous calls. A stream's mapping calls synchronously and has a failure destination of its own.
  #checkov:skip=CKV_AWS_117:The function talks to AWS only, with TLS and IAM. settings.vpc puts it into a VPC.
  #checkov:skip=CKV_AWS_173:The environment holds names and no secrets. kms_key_arn encrypts it with a customer-managed key.
  #checkov:skip=CKV_AWS_272:The package is pinned by its digest. Signing needs a profile that belongs to the account, not to this module.
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn

  filename         = local.from_s3 ? null : local.zip_path
  s3_bucket        = local.bucket
  s3_key           = local.from_s3 ? local.zip_key : null
  source_code_hash = local.zip_digest

  handler                        = var.handler
  runtime                        = var.settings.runtime
  architectures                  = [var.settings.architecture]
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)

  kms_key_arn = var.kms_key_arn
  tags        = var.tags

  # PassThrough takes part in a caller's trace and starts none.
  tracing_config {
    mode = var.settings.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.settings.vpc[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  environment {
    variables = local.environment
  }

  # Rights and log group first: the first invocation may follow the function's creation within milliseconds.
  depends_on = [aws_iam_role_policy.this, aws_cloudwatch_log_group.this]

  lifecycle {
    precondition {
      condition     = local.zip_digest != null
      error_message = local.package_missing
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts every log group. kms_key_arn sets a customer-managed key.
  #checkov:skip=CKV_AWS_338:The default of 30 days is enough to find a fault; messages that matter longer are in the quarantine. settings.log_retention_days sets another.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.settings.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "this" {
  # Names of roles are the account's, not a Region's.
  # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
  name                 = "${var.name}${var.settings.global_name_suffix}"
  path                 = var.settings.role_path
  permissions_boundary = var.settings.permissions_boundary_arn
  description          = "Execution role of the Lambda function ${var.name}"
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  # Under another name the function has the new role before the old one goes.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role_policy" "this" {
  name = "function"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        # The module makes the group, so the function needs no right to make one. A stream's name is Lambda's choice.
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.this.arn}:log-stream:*"]
      }],
      local.own_key_statements,
      local.tracing_statements,
      local.network_statements,
      [for statement in var.policy_statements : merge(
        {
          Sid      = statement.sid
          Effect   = "Allow"
          Action   = statement.actions
          Resource = statement.resources
        },
        { for part, conditions in { Condition = statement.conditions } : part => conditions if length(conditions) > 0 },
      )],
    )
  })

  lifecycle {
    create_before_destroy = true
  }
}
