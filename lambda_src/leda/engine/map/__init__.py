"""Map, the first stage: from the source table's stream to ReduceTable.

source_shards     the assignments of the source table's shards: a configuration and a number of lanes
map_batch         the changes of a batch as Map adds them: read, cut so that rows fit, summed by lane
map_rows          replaces one row for each lane and shard, on condition of the row's own checkpoint
"""
