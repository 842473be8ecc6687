# What was this module's own before modules/stream-function made it. No resource is replaced.

moved {
  from = aws_cloudwatch_metric_alarm.quarantined["MapLambda"]
  to   = module.map_function.aws_cloudwatch_metric_alarm.quarantined[0]
}

moved {
  from = aws_cloudwatch_metric_alarm.quarantined["ReduceLambda"]
  to   = module.reduce_function.aws_cloudwatch_metric_alarm.quarantined[0]
}
