"""The engine: exact totals over a table's stream, with a checkpoint in every row that it protects.

What is counted:
configuration     what an image of the source table adds to which totals, and the version of that definition
groupings         which totals a row counts in, by all groupings of a configuration
grouping          one grouping: its written form, the totals that a row counts in, and when these expire
grouping_keys     the keys and conditions of a grouping
attributes        how a row's attributes are read: nested ones, texts of keys, time buckets
identifiers       how the texts of keys stand in a total's identifier
plain_key         one grouping of one key, whose text is the identifier
hierarchy_path    the pipeline's totals: a path in a tree, and every level above it
hierarchy         the tree of totals: a path names a leaf, and each of its prefixes a node above it
total_labels      the attributes that say which total it is, and until when it is kept
expiry            which totals have expired

Both stages:
shards            the shard of a stream that an event names, and sequence numbers as strings that order
registry          the rows of RegistryTable: configurations by version, and what each shard was given
delta_rows        the rows of ReduceTable: lanes, their names, and how a row is written and read
consumer          what Map and Reduce do with an event: read it, write, report the outcome
rejects           what is quarantined, because it can be neither read nor added

Map:
source_shards     the assignments of the source table's shards: a configuration and a number of lanes
map_batch         the changes of a batch as Map adds them: read, cut so that rows fit, summed by lane
map_rows          replaces one row for each lane and shard, on condition of the row's own checkpoint

Reduce:
epochs            the epochs of ReduceTable's shards, and positions of its records
reduce_batch      the rows of a batch as Reduce adds them: by checkpoint, and summed by total
total_statements  the PartiQL statements that make a total, add to it, and move its checkpoint
statement_errors  what to do about a total whose statement was not applied
totals            adds the rows to the totals, on condition of each total's own checkpoint

The audit:
source_sum        what the totals must be: the sum of the source table's rows
uncounted         rows of the source table that are in no total because they cannot be read
row_keys          the key of a row: its attributes, and its text for a person to read
table_scan        scans a table, several segments at a time
totals_table      reads the totals table
brackets          compares what the totals must be with several looks at the totals table
audit             which totals of a running aggregation are wrong
audit_report      what AuditLambda logs and counts of an audit
health            what an operator has to know that no invocation tells: an open rebuild, a mapping that is off

docs/exactly-once.md has the argument.
"""
