"""What watches the totals: the comparison of the source table and the totals, and HealthLambda's findings.

audit             which totals of a running aggregation are wrong
source_sum        what the totals must be: the sum of the source table's rows
uncounted         rows of the source table that are in no total because they cannot be read
row_keys          the key of a row: its attributes, and its text for a person to read
table_scan        scans a table, several segments at a time
totals_table      reads the totals table
brackets          compares what the totals must be with several looks at the totals table
audit_report      what AuditLambda logs and counts of an audit
health            what an operator has to know that no invocation tells: an open rebuild, a mapping that is off
"""
