output "functions" {
  description = "The functions `aggregate`, `reduce` and `health`."
  value       = module.scores.functions
}

output "tables" {
  description = "The tables `records`, `scores` (the totals), `reduce` and `registry`."
  value       = module.scores.tables
}

output "quarantine_bucket" {
  description = "The bucket with the records that could not be counted."
  value       = module.scores.quarantine_bucket
}

output "test_event" {
  description = "An event to invoke the function with, as JSON: a record of Jane Doe with 100 points."
  value = jsonencode({
    Records = [{
      eventID      = "1"
      eventVersion = "1.0"
      dynamodb = {
        Keys = { RecordID = { S = "2" } }
        NewImage = {
          RecordID = { S = "2" }
          Username = { S = "Jane Doe" }
          Score    = { N = "100" }
          Nickname = { S = "JaneD" }
        }
        StreamViewType = "NEW_IMAGE"
        SequenceNumber = "111"
        SizeBytes      = 26
      }
      awsRegion      = "us-west-2"
      eventName      = "INSERT"
      eventSourceARN = module.scores.tables.records.stream_arn
      eventSource    = "aws:dynamodb"
    }]
  })
}
