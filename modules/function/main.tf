data "aws_region" "current" {}

locals {
  # The services through which the function reaches what the key encrypts are those that it may call at all.
  key_services = distinct([for action in flatten(var.policy_statements[*].actions) : split(":", action)[0]])

  own_key_statements = var.kms_key_arn == null || length(local.key_services) == 0 ? [] : [{
    # Decrypt: encrypted stream records and tables. GenerateDataKey: objects and tables that it writes. Encrypt and DescribeKey: DynamoDB asks for them on behalf of whoever uses a table with an own key.
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    Sid      = "OwnKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn]
    # By way of these services and in no other way. The names end in amazonaws.com in all partitions.
    # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    Condition = { StringEquals = { "kms:ViaService" = [for service in local.key_services : "${service}.${data.aws_region.current.id}.amazonaws.com"] } }
  }]
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:Reserved concurrency is taken from the whole account; the shards of its source bound a stream function already. reserved_concurrency sets it.
  #checkov:skip=CKV_AWS_116:A dead-letter queue serves asynchronous calls. A stream's mapping calls synchronously and has a failure destination of its own.
  #checkov:skip=CKV_AWS_117:The function talks to Kinesis, DynamoDB and S3 only, all with TLS and IAM. A VPC would add endpoints and no protection.
  #checkov:skip=CKV_AWS_173:The environment holds names and no secrets. Lambda encrypts it with its own key.
  #checkov:skip=CKV_AWS_272:The package is pinned by its digest. Signing needs a profile that belongs to the account, not to this module.
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn

  filename         = local.from_s3 ? null : local.zip_path
  s3_bucket        = local.bucket
  s3_key           = local.from_s3 ? local.zip_key : null
  source_code_hash = local.zip_digest

  handler                        = var.handler
  runtime                        = var.runtime
  architectures                  = [var.architecture]
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)

  # A stream's records carry no trace to go on with, and X-Ray's write actions cannot be limited to a resource:
  # PassThrough takes part in a caller's trace and starts none.
  tracing_config {
    mode = "PassThrough"
  }

  environment {
    variables = var.environment
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
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts every log group. kms_key_arn sets an own key.
  #checkov:skip=CKV_AWS_338:The default of 30 days is enough to find a fault; messages that matter longer are in the quarantine. log_retention_days sets another.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_iam_role" "this" {
  # Names of roles are the account's, not a Region's.
  # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
  name        = "${var.name}${var.global_name_suffix}"
  description = "Execution role of the Lambda function ${var.name}"

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
