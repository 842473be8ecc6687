# Settings for 50,000 messages a second in one pipeline. Where they come from: docs/scaling.md, which the model of
# `leda scale` writes; what they cost: docs/cost.md.

module "pipeline" {
  # From another repository: git::https://github.com/<owner>/<repository>.git//modules/aggregation-pipeline?ref=<tag>
  source = "../../modules/aggregation-pipeline"

  name_prefix = var.name_prefix
  settings    = { packages = var.packages }

  # 694 records a second a shard, of the 1,000 that one takes. Not on demand: such a stream begins with four shards.
  shard_count = 72

  # A shard's batch gathers for two seconds (a poll and the window): 1,390 messages.
  state_function = {
    memory_mb               = 1024
    batch_size              = 2000
    batching_window_seconds = 1
  }

  # StateTable's stream has a shard for each of its 80 partitions. A batch writes one row for each lane that it touches, however many
  # changes it holds: so batches are large, and gather for a second.
  map_function = {
    memory_mb               = 1024
    batch_size              = 10000
    batching_window_seconds = 1
  }

  # Reduce adds up what Map writes of 80 shards in a second, and writes each total that it touches once.
  reduce_function = {
    batching_window_seconds = 1
  }
  reduce_lanes = 1

  freshness_seconds   = 30
  alarm_actions       = var.alarm_actions
  deletion_protection = var.deletion_protection
}
