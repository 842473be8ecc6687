# Settings of the apply on local AWS (make up, make demo, make test). On a real account, none of them is needed.

shard_count               = 16                              # one thread polls all shards; PutRecords slows down as a single shard fills
stream_retention_hours    = 24                              # the default of a week costs the provider a wait of its own
quarantine_retention_days = null                            # the provider waits 50 s for a lifecycle rule to settle
state_function            = { batching_window_seconds = 0 } # shards are polled once a second: that is a window
fault_injection           = true                            # the demo's hard rounds switch failures on through ParameterTable
deletion_protection       = false                           # make down and the tests remove everything
