# `terraform destroy` is refused before anything is deleted: the guard depends on everything, so it goes first.
module "deletion_guard" {
  source    = "../deletion-guard"
  protected = var.deletion_protection

  depends_on = [
    module.capture_function,
    module.quarantine_bucket,
    module.replica_function,
    module.users_table,
    aws_cloudwatch_query_definition.changes,
    aws_sns_topic.changes,
    aws_sns_topic_subscription.email,
  ]
}
