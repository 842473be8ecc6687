"""The engine: exact totals over a table's stream, with a checkpoint in every row that it protects.

A change of the source table goes through two stages. Map turns it into amounts, and replaces one row of ReduceTable for
each lane and shard. Reduce reads ReduceTable's stream, and adds these rows to the totals.

group_by      what is counted: the configuration, and which totals a row of the source table counts in
map           the first stage: from the source table's stream to ReduceTable
reduce        the second stage: from ReduceTable's stream to the totals table
audit         what watches the totals: the comparison of source and totals, and HealthLambda's findings

Both stages:
shards        the shard of a stream that an event names, and sequence numbers as strings that order
registry      the rows of RegistryTable: configurations by version, and what each shard was given
delta_rows    the rows of ReduceTable: lanes, their names, and how a row is written and read
consumer      what Map and Reduce do with an event: read it, write, report the outcome
rejects       what is quarantined, because it can be neither read nor added

docs/exactly-once.md has the argument.
"""
