# `terraform destroy` is refused before anything is deleted: the guard depends on everything, so it goes first.
module "deletion_guard" {
  source    = "../deletion-guard"
  protected = var.deletion_protection

  depends_on = [
    module.api,
    module.counts,
    module.create_vendor_order,
    module.expire_orders,
    module.http_function,
    module.lake,
    module.operators,
    module.quarantine_bucket,
    module.read_stream,
    module.site,
    module.table,
    module.write_firehose,
    aws_cloudwatch_event_rule.expire_orders,
    aws_cloudwatch_event_target.expire_orders,
    aws_cloudwatch_metric_alarm.expire_orders_failed,
    aws_cloudwatch_metric_alarm.quarantined,
    aws_lambda_function_event_invoke_config.expire_orders,
    aws_lambda_permission.expire_orders,
  ]
}
