# The pipeline and the game that tests it, in one apply. To use the pipeline alone, call modules/aggregation-pipeline.

module "pipeline" {
  source = "./modules/aggregation-pipeline"

  name_prefix = var.name_prefix
  schema      = var.schema

  shard_count            = var.shard_count
  stream_retention_hours = var.stream_retention_hours
  producer_principals    = var.producer_principals

  state_function  = var.state_function
  map_function    = var.map_function
  reduce_function = var.reduce_function
  reduce_lanes    = var.reduce_lanes

  freshness_seconds         = var.freshness_seconds
  dashboard                 = var.dashboard
  audit                     = var.audit
  capacity                  = var.capacity
  deletion_protection       = var.deletion_protection
  quarantine_bucket_name    = var.quarantine_bucket_name
  quarantine_retention_days = var.quarantine_retention_days

  fault_injection = !var.fault_injection ? null : {
    parameter_table_name = module.game.parameter_table.name
    parameter_table_arn  = module.game.parameter_table.arn
  }

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}

module "game" {
  source = "./modules/game"

  name_prefix         = var.name_prefix
  schema              = module.pipeline.schema
  stream              = module.pipeline.stream
  aggregate_table     = module.pipeline.tables.aggregate
  schedule_enabled    = var.generator_schedule_enabled
  deletion_protection = var.deletion_protection

  settings      = var.settings
  kms_key_arn   = var.kms_key_arn
  alarm_actions = var.alarm_actions
  tags          = var.tags
}
