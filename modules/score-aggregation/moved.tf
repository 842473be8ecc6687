# What was the module's own before it became an instance of modules/aggregation. The function's event source mapping goes on where it was,
# so that no record is read twice; docs/upgrading.md has the steps.

moved {
  from = module.scores_table
  to   = module.aggregation.module.aggregate_table
}

moved {
  from = module.aggregate_function
  to   = module.aggregation.module.map_function
}

moved {
  from = module.quarantine_bucket
  to   = module.aggregation.module.quarantine_bucket[0]
}

moved {
  from = aws_cloudwatch_metric_alarm.quarantined
  to   = module.aggregation.aws_cloudwatch_metric_alarm.quarantined["MapLambda"]
}
