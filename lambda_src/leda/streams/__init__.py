"""Records of Kinesis streams and of DynamoDB streams, as Lambda delivers them.

kinesis           the records of a Kinesis stream; `aggregated` unpacks those of the Kinesis Producer Library
stream_records    the records of a DynamoDB stream
changes           what a change adds to the totals: the row before and the row after
item_changes      a change as a JSON document that shows which attributes are different
arrival           when a record was put into its stream
raw_records       records as they were received, for logs and the quarantine
partial_batch     the answer to a mapping with partial batch responses
windows           the answer to a mapping with a tumbling window
"""
