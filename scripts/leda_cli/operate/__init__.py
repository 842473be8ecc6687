"""What an operator runs on an account: verify, redrive, replay, rebuild, backfill, erase, watch, totals and prove.

One file each for the commands (`prove` is a room); what they are made of, each room using only those below it:

aggregation   an instance of the engine, found from the name of its Map function
not_live      what of a deployed configuration has no effect yet
quarantine    the quarantined records: reading them, finding their reason, giving them to the functions again
putting       puts messages into the pipeline's stream, for prove, the demos and the benchmark
stack         the pipeline, found from the names of its functions
totals        reading totals, their age, and comparing them with what they must be
rebuilding    computing all totals again while writers change the table: for rebuild and backfill
deployed      the account and the parts of AWS in it: clients, functions, mappings, tables, shards
"""
