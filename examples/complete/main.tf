# Every setting of the pipeline, for readings of smart meters: energy by country, city and tariff.
# The message:
#   {"meter": "DE-0815", "reading": 42, "kWh": 1.25, "measured": 1735689600.5, "removed": false,
#    "country": "DE", "city": "Ulm", "tariff": "night"}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

module "pipeline" {
  # From another repository: git::https://github.com/<owner>/<repository>.git//modules/aggregation-pipeline?ref=<tag>
  source = "../../modules/aggregation-pipeline"

  name_prefix = var.name_prefix

  schema = {
    id        = "meter"
    version   = "reading"
    value     = "kWh"
    timestamp = "measured"
    deleted   = "removed"
    hierarchy = "" # the levels are at the message's top
    levels    = ["country", "city", "tariff"]

    # Up to 999,999,999 kWh in steps of a millionth: 9 + 9 + 6 of the 38 digits of a DynamoDB number.
    max_integer_digits = 9
    max_decimal_places = 6
  }

  # The ingest stream: provisioned, kept for two weeks, with producers in other accounts.
  shard_count            = 2
  stream_retention_hours = 336
  producer_principals    = var.producer_principals

  state_function = {
    memory_mb                  = 1024
    timeout_seconds            = 30
    reserved_concurrency       = var.reserve_concurrency ? 20 : null # shards x parallelization factor, so that a burst elsewhere cannot starve it
    enabled                    = true
    batch_size                 = 500
    batching_window_seconds    = 2
    parallelization_factor     = 10
    maximum_retry_attempts     = -1
    maximum_record_age_seconds = 604800 # a week, the longest that Lambda knows; then a batch goes to the bucket
    bisect                     = false
    starting_position          = "TRIM_HORIZON" # or LATEST; or AT_TIMESTAMP with a starting_position_timestamp
  }
  write_threads = 8

  # What exactly-once demands of Map and Reduce is their default; any other value is refused.
  map_function = {
    memory_mb                  = 1024
    timeout_seconds            = 30
    reserved_concurrency       = var.reserve_concurrency ? 10 : null
    enabled                    = true
    batch_size                 = 1000
    batching_window_seconds    = 1
    parallelization_factor     = 1
    maximum_retry_attempts     = -1
    maximum_record_age_seconds = -1
    bisect                     = false
    tumbling_window_seconds    = 600
  }
  reduce_lanes            = 4      # may be changed at any time
  delta_retention_seconds = 259200 # three days

  reduce_function = {
    memory_mb                  = 1024
    timeout_seconds            = 30
    reserved_concurrency       = var.reserve_concurrency ? 10 : null
    enabled                    = true
    batch_size                 = 1000
    batching_window_seconds    = 0
    parallelization_factor     = 1
    maximum_retry_attempts     = -1
    maximum_record_age_seconds = -1
    bisect                     = false
    tumbling_window_seconds    = 600
  }
  reduce_threads = 8

  settings = {
    packages           = var.packages
    runtime            = "python3.12"
    architecture       = "x86_64"
    log_level          = "WARNING"
    log_retention_days = 90
    tracing            = true
    vpc                = var.vpc

    permissions_boundary_arn = var.permissions_boundary_arn
    role_path                = "/leda/"
    global_name_suffix       = "" # a text of its own in each further Region of the account
  }

  tags = { project = "meters" }

  # One key for the stream, the tables, the bucket and the logs.
  kms_key_arn = aws_kms_key.this.arn

  # Every half hour, all totals are compared with the readings that they come from.
  audit = {
    schedule_expression = "rate(30 minutes)"
    memory_mb           = 1769 # one whole processor
    timeout_seconds     = 900
  }

  freshness_seconds = 60
  alarm_actions     = [aws_sns_topic.alarms.arn]
  dashboard         = true

  deletion_protection       = var.deletion_protection
  quarantine_bucket_name    = lower("${var.name_prefix}bad-readings-${data.aws_caller_identity.current.account_id}")
  quarantine_retention_days = 180

  # Only for tests: a table of yours that says how often the functions fail.
  fault_injection = null
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name_prefix}alarms"
  kms_master_key_id = aws_kms_key.this.arn
}
