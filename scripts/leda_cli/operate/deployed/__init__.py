"""The account, and the parts of AWS in it.

account         local AWS or a real account: clients, its endpoint, errors of its first calls
refusals        what AWS's refusals mean, and what to do about each
functions       a Lambda function: its environment variables and its mappings
mappings        switches event source mappings off and on, and waits until they are
source_table    the table whose rows are counted: its key, its size; the names of the engine's own tables
rows            reads many rows by their keys, or all, and writes rows on a condition
stream_shards   reads the shards of a table's stream
kinesis_shards  reads the shards of a Kinesis stream
"""
