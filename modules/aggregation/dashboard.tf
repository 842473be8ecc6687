locals {
  # One graph each, two a row. A line is [namespace, metric, dimension, value, ...].
  dashboard_graphs = [
    {
      title = "Lag: from a record's time to its committed total (ms)"
      stat  = "p99"
      lines = [["LEDA", "Lag", "service", "ReduceLambda", "function_name", module.reduce_function.name]]
    },
    {
      title = "Records applied"
      stat  = "Sum"
      lines = [for service, name in local.watched : ["LEDA", "Records", "service", service, "function_name", name]]
    },
    {
      title = "Age of the iterators (ms)"
      stat  = "Maximum"
      lines = [for name in values(local.watched) : ["AWS/Lambda", "IteratorAge", "FunctionName", name]]
    },
    {
      title = "Duration (ms)"
      stat  = "p99"
      lines = [for name in values(local.watched) : ["AWS/Lambda", "Duration", "FunctionName", name]]
    },
    {
      title = "Errors and throttles"
      stat  = "Sum"
      lines = flatten([for name in values(local.watched) : [
        for metric in ["Errors", "Throttles"] : { line = ["AWS/Lambda", metric, "FunctionName", name] }
      ]])[*].line
    },
    {
      title = "Quarantined records"
      stat  = "Sum"
      lines = [for service, name in local.watched : ["LEDA", "Quarantined", "service", service, "function_name", name]]
    },
    {
      title = "Health: rebuilds open, mappings off, streams not settled"
      stat  = "Maximum"
      lines = [for alarm in values(local.health_alarms) : ["LEDA", alarm.metric, "service", "HealthLambda", "function_name", module.health_function.name]]
    },
    {
      title = "The largest lane of ReduceTable (GB, of 10)"
      stat  = "Maximum"
      lines = [["LEDA", "LaneGigabytes", "service", "MapLambda", "function_name", module.map_function.name]]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  # Dashboards are the account's: under one name, a second Region's apply would overwrite the first one's.
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
  dashboard_name = "${var.name_prefix}LEDA${lookup(var.settings, "global_name_suffix", "")}"
  dashboard_body = jsonencode({
    widgets = [for index, graph in local.dashboard_graphs : {
      type   = "metric"
      x      = index % 2 * 12
      y      = floor(index / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = graph.title
        region  = data.aws_region.current.id
        stat    = graph.stat
        period  = 60
        metrics = graph.lines
      }
    }]
  })
}
