# `terraform destroy` is refused before anything is deleted: the guard depends on everything, so it goes first.
module "deletion_guard" {
  source    = "../deletion-guard"
  protected = var.deletion_protection

  depends_on = [
    module.aggregate_table,
    module.audit_function,
    module.configuration,
    module.health_function,
    module.map_function,
    module.quarantine_bucket,
    module.reduce_function,
    module.reduce_table,
    module.registry_table,
    aws_cloudwatch_dashboard.this,
    aws_cloudwatch_event_rule.audit,
    aws_cloudwatch_event_rule.health,
    aws_cloudwatch_event_target.audit,
    aws_cloudwatch_event_target.health,
    aws_cloudwatch_metric_alarm.audit_failed,
    aws_cloudwatch_metric_alarm.drift,
    aws_cloudwatch_metric_alarm.health,
    aws_cloudwatch_metric_alarm.health_failed,
    aws_cloudwatch_metric_alarm.lane_gigabytes,
    aws_cloudwatch_metric_alarm.too_many_totals,
    aws_cloudwatch_metric_alarm.waiting,
    aws_lambda_function_event_invoke_config.audit,
    aws_lambda_function_event_invoke_config.health,
    aws_lambda_permission.audit,
    aws_lambda_permission.health,
  ]
}
