"""The quarantined records.

quarantined      reads and deletes the objects of the bucket
missing_effects  what Map's and Reduce's records are about, and whether they can be counted today
put_back         gives messages to StateLambda again, and finds out what became of each
state_events     invokes StateLambda with the records of its Kinesis stream
redrive_report   what `leda redrive` says, as lines and as JSON
"""
