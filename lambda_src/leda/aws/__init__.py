"""What every function needs of AWS.

clients           makes boto3 clients; `assumed_role` gives them the credentials of another role
dynamodb_client   LEDA's own client for DynamoDB and its streams, on `http_connections` and `signature`
transactions      the limit of a DynamoDB transaction, and what to do after an error
backoff           which errors to try again, after which pause, and when to give up; before that, `dynamodb_client`
                  sends a single request again as botocore does
settings          the environment variables that Terraform sets
telemetry         structured logs and metrics
faults            makes invocations fail on purpose, as often as the workshop's game sets
"""
