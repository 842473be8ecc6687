output "records" {
  description = "The processor that logs: its `stream`, `function` and `quarantine_bucket`."
  value       = module.records
}

output "readings" {
  description = "The processor of readings: its `stream`, `function` and `quarantine_bucket`."
  value       = module.readings
}

output "readings_table" {
  description = "The table with each sensor's newest reading."
  value       = { name = module.readings_table.name, arn = module.readings_table.arn }
}

output "test_event" {
  description = "The blueprint's test event, to invoke the function with, as JSON."
  value = jsonencode({
    Records = [{
      kinesis = {
        partitionKey                = "partitionKey-03"
        kinesisSchemaVersion        = "1.0"
        data                        = base64encode("Hello, this is a test 123.")
        sequenceNumber              = "49545115243490985018280067714973144582180062593244200961"
        approximateArrivalTimestamp = 1428537600
      }
      eventSource       = "aws:kinesis"
      eventID           = "shardId-000000000000:49545115243490985018280067714973144582180062593244200961"
      invokeIdentityArn = "arn:aws:iam::EXAMPLE"
      eventVersion      = "1.0"
      eventName         = "aws:kinesis:record"
      eventSourceARN    = "arn:aws:kinesis:EXAMPLE"
      awsRegion         = "us-west-2"
    }]
  })
}
