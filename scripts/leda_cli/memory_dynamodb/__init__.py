"""DynamoDB in memory, as the simulation, the models, the benchmark and the tests use it.

store               DynamoDB's client: its calls, rows in tables, errors like DynamoDB's
tables              tables, where an item belongs in them, and what a write makes of it
reads               key conditions, projections and pages of reads
writes              checks the request of a write and turns it into an action on a table
changes             the same store, which also keeps what the streams of its tables would hold
partitions          the write units that a partition takes a second
attribute_values    values as DynamoDB stores them: numbers, sizes, order
expressions         evaluates conditions, updates and projections; expression_parser reads their text
partiql             the statements that LEDA's functions send
reserved_words      DynamoDB's reserved words
"""
