# What was the pipeline's own before modules/aggregation was taken out of it. An existing state goes on as it is: no resource is replaced.

moved {
  from = module.reduce_table
  to   = module.aggregation.module.reduce_table
}

moved {
  from = module.aggregate_table
  to   = module.aggregation.module.aggregate_table
}

moved {
  from = module.registry_table
  to   = module.aggregation.module.registry_table
}

moved {
  from = module.quarantine_bucket
  to   = module.aggregation.module.quarantine_bucket[0]
}

moved {
  from = module.map_function
  to   = module.aggregation.module.map_function
}

moved {
  from = module.reduce_function
  to   = module.aggregation.module.reduce_function
}

moved {
  from = module.health_function
  to   = module.aggregation.module.health_function
}

moved {
  from = module.audit_function
  to   = module.aggregation.module.audit_function
}

moved {
  from = aws_cloudwatch_dashboard.this
  to   = module.aggregation.aws_cloudwatch_dashboard.this
}

moved {
  from = aws_cloudwatch_metric_alarm.quarantined
  to   = module.aggregation.aws_cloudwatch_metric_alarm.quarantined
}

moved {
  from = aws_cloudwatch_metric_alarm.lane_gigabytes
  to   = module.aggregation.aws_cloudwatch_metric_alarm.lane_gigabytes
}

moved {
  from = aws_cloudwatch_metric_alarm.health
  to   = module.aggregation.aws_cloudwatch_metric_alarm.health
}

moved {
  from = aws_cloudwatch_metric_alarm.health_failed
  to   = module.aggregation.aws_cloudwatch_metric_alarm.health_failed
}

moved {
  from = aws_cloudwatch_metric_alarm.drift
  to   = module.aggregation.aws_cloudwatch_metric_alarm.drift
}

moved {
  from = aws_cloudwatch_metric_alarm.audit_failed
  to   = module.aggregation.aws_cloudwatch_metric_alarm.audit_failed
}

moved {
  from = aws_lambda_function_event_invoke_config.health
  to   = module.aggregation.aws_lambda_function_event_invoke_config.health
}

moved {
  from = aws_lambda_function_event_invoke_config.audit
  to   = module.aggregation.aws_lambda_function_event_invoke_config.audit
}

moved {
  from = aws_cloudwatch_event_rule.health
  to   = module.aggregation.aws_cloudwatch_event_rule.health
}

moved {
  from = aws_cloudwatch_event_rule.audit
  to   = module.aggregation.aws_cloudwatch_event_rule.audit
}

moved {
  from = aws_cloudwatch_event_target.health
  to   = module.aggregation.aws_cloudwatch_event_target.health
}

moved {
  from = aws_cloudwatch_event_target.audit
  to   = module.aggregation.aws_cloudwatch_event_target.audit
}

moved {
  from = aws_lambda_permission.health
  to   = module.aggregation.aws_lambda_permission.health
}

moved {
  from = aws_lambda_permission.audit
  to   = module.aggregation.aws_lambda_permission.audit
}

# StateLambda's alarm was the aggregation's before modules/stream-function made it.
moved {
  from = module.aggregation.aws_cloudwatch_metric_alarm.quarantined["StateLambda"]
  to   = module.state_function.aws_cloudwatch_metric_alarm.quarantined[0]
}
