"""The engine: exact totals over a table's stream, with a checkpoint in every row that it protects.

configuration   what an image of the source table adds to which totals, and the version of that definition
groupings       which totals a row counts in, how their identifiers are written, and what they are called
attributes      how a row's attributes are read: nested ones, texts of keys, time buckets
shards          the shard of a stream that an event names, and sequence numbers as strings that order
registry        what must not depend on a deployment: a shard's configuration, number of lanes and epoch
delta_rows      the rows of ReduceTable: lanes, their names, and how a row is written and read
map_batch       the changes of a batch as Map adds them: read, cut so that rows fit, summed by lane
map_rows        Map: replaces one row for each lane and shard, on condition of the row's own checkpoint
totals          Reduce: adds the rows to the totals, on condition of each total's own checkpoint
rejects         what is quarantined, because it can be neither read nor added
hierarchy       the tree of totals: a path names a leaf, and each of its prefixes a node above it
audit           what the totals must be by their source table, and which rows of the totals table are not that
uncounted       rows of the source table that are in no total because they cannot be read
health          what an operator has to know that no invocation tells: an open rebuild, a mapping that is off

docs/exactly-once.md has the argument.
"""
