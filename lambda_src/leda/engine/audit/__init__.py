"""The audit: compares the totals with the source table. Also HealthLambda's checks.

audit             finds the wrong totals of a running aggregation
source_sum        sums the rows of the source table, which the totals must equal
uncounted         counts rows of the source table that are in no total because they cannot be read
row_keys          the key of a row: the names of its attributes, and its text in messages
table_scan        scans a table, several segments at a time
totals_table      reads the totals table
brackets          compares the expected totals with several looks at the totals table
audit_report      the log lines and metrics of an audit
health            finds an open rebuild, disabled mappings, and streams that are not settled
"""
