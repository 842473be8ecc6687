# What was this module's own before modules/stream-function made it. No resource is replaced.

moved {
  from = aws_cloudwatch_metric_alarm.quarantined["ChangeCapture"]
  to   = module.capture_function.aws_cloudwatch_metric_alarm.quarantined[0]
}

moved {
  from = aws_cloudwatch_metric_alarm.quarantined["TableReplica"]
  to   = module.replica_function[0].aws_cloudwatch_metric_alarm.quarantined[0]
}
