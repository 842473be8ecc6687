"""LEDA's core, in rooms by idea.

values       exact numbers, JSON, texts, batches (pure)
aws          clients, settings, backoff, injected faults, logs and metrics
streams      records of Kinesis streams and of DynamoDB streams
quarantine   stores records that cannot be processed, with the reason
engine       exact totals over a table's stream, and their audit
pipeline     stores messages of a Kinesis stream in StateTable; the workshop's game
capture      change capture: a log line, counts and notifications for each change
processor    the record processor; `leda.records` is what a user's `process` imports
replica      a second table that follows a table's changes
shop         the shop on one table
"""
