"""A deterministic simulation of event source mappings around the real handlers: one seed decides everything.

world       virtual time and tasks; an order of events that only the seed decides
streams     shards of Kinesis and DynamoDB streams: splits, merges, rollovers, trimming
mappings    event source mappings: batches, retries, partial responses, bisect, windows
functions   execution environments: cold and warm, timeouts, kills; each AWS call may fail
plans       what a seed stands for: messages, settings, faults, disturbances
systems     a system under test: its tables, streams, functions and mappings, and what must come out
engine      Map and Reduce as parts of such a system, and an operator who rebuilds the totals
pipeline    the aggregation pipeline, and the published design of it, as such a system
group_by    groupings of a random table, and a hand-written aggregator, as such a system
runs        one plan from its first message to the comparison of the totals
command     `leda simulate`
shrinking   from a plan that fails to a small one that fails
"""
