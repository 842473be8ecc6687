# What was this module's own before modules/stream-function made it. No resource is replaced.

moved {
  from = aws_cloudwatch_metric_alarm.quarantined
  to   = module.function.aws_cloudwatch_metric_alarm.quarantined[0]
}
