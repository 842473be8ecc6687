# Change capture with every switch on: a table Users, its changes in the log, some of them as notifications, all of them
# in a copy and counted.

data "aws_caller_identity" "current" {}

module "changes" {
  # From another repository: git::https://github.com/<owner>/<repository>.git//modules/change-capture?ref=<tag>
  source = "../../modules/change-capture"

  name_prefix = var.name_prefix

  # Neither in the log nor in a notification, wherever it stands in an item.
  redacted_attributes = ["password_hash"]

  # Who gets a better plan, whose balance falls below nothing, who is gone, and whose password was changed.
  notify = {
    emails = var.email == null ? [] : [var.email]
    filter_patterns = [
      jsonencode({ event = ["update"], changed = { plan = { new = ["gold"] } } }),
      jsonencode({ changed = { balance = { new = [{ numeric = ["<", 0] }] } } }),
      jsonencode({ event = ["delete"] }),
      jsonencode({ event = ["update"], changed = { password_hash = [{ exists = true }] } }),
    ]
  }

  replica = { table_arn = module.copy.arn }
  metrics = {}

  # The account of local AWS has this number, and local AWS has no saved queries.
  saved_query = data.aws_caller_identity.current.account_id != "000000000000"

  deletion_protection = var.deletion_protection
}

# The copy has the source's key. Tombstones of removed items end by time to live.
module "copy" {
  source = "../../modules/table"

  name                = "${var.name_prefix}UsersCopy"
  hash_key            = { name = "user_id", type = "S" }
  range_key           = { name = "timestamp", type = "N" }
  ttl_attribute       = "_replica_end"
  deletion_protection = var.deletion_protection
}

# A program that listens: a queue that is subscribed to the topic.
resource "aws_sqs_queue" "inbox" {
  name                    = "${var.name_prefix}UsersChanged"
  sqs_managed_sse_enabled = true
}

resource "aws_sns_topic_subscription" "inbox" {
  topic_arn = module.changes.topic_arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.inbox.arn
}

resource "aws_sqs_queue_policy" "inbox" {
  queue_url = aws_sqs_queue.inbox.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Topic"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.inbox.arn
      Condition = { ArnEquals = { "aws:SourceArn" = module.changes.topic_arn } }
    }]
  })
}
