"""The engine: exact totals over a table's stream, with a checkpoint in every row that it protects.

configuration   what an image of the source table adds to which totals, and the version of that definition
groupings       which totals a row counts in, how their identifiers are written, and what they are called
attributes      how a row's attributes are read: nested ones, texts of keys, time buckets
shards          the shard of a stream that an event names, and sequence numbers as strings that order
registry        the rows of RegistryTable: configurations by version, and what each shard was given
source_shards   the assignments of the source table's shards: a configuration and a number of lanes
epochs          the epochs of ReduceTable's shards, and positions of its records
delta_rows      the rows of ReduceTable: lanes, their names, and how a row is written and read
map_batch       the changes of a batch as Map adds them: read, cut so that rows fit, summed by lane
map_rows        Map: replaces one row for each lane and shard, on condition of the row's own checkpoint
totals          Reduce: adds the rows to the totals, on condition of each total's own checkpoint
consumer        what Map and Reduce do with an event: read it, write, report the outcome
rejects         what is quarantined, because it can be neither read nor added
hierarchy       the tree of totals: a path names a leaf, and each of its prefixes a node above it
audit           what the totals must be by their source table, and which rows of the totals table are not that
audit_report    what AuditLambda logs and counts of an audit
uncounted       rows of the source table that are in no total because they cannot be read
health          what an operator has to know that no invocation tells: an open rebuild, a mapping that is off

docs/exactly-once.md has the argument.
"""
