"""The shop on one table: orders, stock, vendor orders, counts and the lines of the data lake.

`rows` has the table's keys; what writes each kind of row is named there.
"""
