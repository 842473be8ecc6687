# What was the module's own before its counts became an instance of modules/aggregation; docs/upgrading.md has the steps.

moved {
  from = module.update_inventory
  to   = module.counts.module.map_function
}

moved {
  from = aws_cloudwatch_metric_alarm.quarantined["UpdateInventory"]
  to   = module.counts.aws_cloudwatch_metric_alarm.quarantined["MapLambda"]
}
