"""A deterministic simulation of event source mappings around the real handlers: one seed decides everything.

world       virtual time and tasks; an order of events that only the seed decides
streams     shards of Kinesis and DynamoDB streams: splits, merges, rollovers, trimming
mappings    event source mappings: batches, retries, partial responses, bisect, windows
functions   execution environments: cold and warm, timeouts, kills; each AWS call may fail
plans       the plan that a seed gives: messages, settings, faults, disturbances
systems     a system under test: its tables, streams, functions and mappings, and its expected results
engine      Map and Reduce as parts of a system, and an operator who rebuilds the totals
pipeline    the aggregation pipeline, and its published design, as a system
group_by    groupings of a random table, and a hand-written aggregator, as a system
runs        playing one plan, from its first message to the comparison of the totals
command     `leda simulate`
shrinking   reducing a plan that fails to a small one that still fails
"""
