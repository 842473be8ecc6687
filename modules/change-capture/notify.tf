# notify: an SNS message for each change that a pattern matches.

locals {
  # Not by `try`, which is unknown where any part of its argument is: whether a topic was given is known by the object.
  makes_topic = var.notify == null ? false : var.notify.topic == null
  topic_arn   = var.notify == null ? null : local.makes_topic ? one(aws_sns_topic.changes[*].arn) : var.notify.topic.arn

  notify_statements = var.notify == null ? [] : [{
    sid       = "Notify"
    actions   = ["sns:Publish"]
    resources = [local.topic_arn]
  }]
}

resource "aws_sns_topic" "changes" {
  count = local.makes_topic ? 1 : 0

  name = local.names.topic

  # Always encrypted: with the caller's key, or with the one that AWS manages for SNS.
  kms_master_key_id = coalesce(var.kms_key_arn, "alias/aws/sns")
  tags              = var.tags
}

# The reader of the mailbox confirms the subscription by a link; until then nothing is sent.
resource "aws_sns_topic_subscription" "email" {
  count = var.notify == null ? 0 : length(var.notify.emails)

  topic_arn = local.topic_arn
  protocol  = "email"
  endpoint  = var.notify.emails[count.index]
}
