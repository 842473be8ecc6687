"""How fast LEDA is, and how fast the published design of its pipeline is, measured side by side: `make bench`.

published/     the published design, as Lambda functions with boto3
stub           what DynamoDB answers (leda_cli.memory_dynamodb), over HTTP, with a set latency, in its own process
environment    an execution environment: a handler in a process of its own, which says what each event took
designs        the two designs: their handlers, their settings, their tables; published_stack applies the published one
events         what Lambda delivers
samples        repeated figures: median, spread, ratio

stages         1, 2: processor time, requests and wall time of each stage; a shard's records a second
arithmetic     Map's sums against the plain way to add them up
units          3: write and read units a message
totals         4: Map and Reduce by the number of totals
memory_use     5: the memory of Map and Reduce
end_to_end     6: bursts through the applied stack on local AWS, and through the published design beside it
cold_start     7: imports, first calls, sizes of packages
growth         8: more shards, rows of ReduceTable, trades
backfill       9: a table of a million rows; backfill_roles and table_server are its processes, backfill_table its rows
groupings      10: Map and Reduce by the number of groupings, beside an unconditional ADD a total and record

parts          what a part of the benchmark gives
command        `leda bench`: the list of all parts
page           docs/performance.md and docs/measured.json
machine        what it ran on
"""
