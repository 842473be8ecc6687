"""LEDA's core, in rooms by idea.

values       exact numbers, JSON, texts (pure)
aws          clients, settings, backoff, injected faults, logs and metrics
streams      records of Kinesis streams and of DynamoDB streams
quarantine   where records go that cannot be processed
engine       exact totals over a table's stream, and their audit
pipeline     the ingest: messages of a Kinesis stream into StateTable; the game
capture      change capture: a log line, counts and notifications for each change
processor    the record processor; `leda.records` is what a user's `process` imports
replica      a second table that follows a table's changes
shop         the shop on one table
"""
