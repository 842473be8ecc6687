"""The engine: exact totals over a table's stream, with a checkpoint in every row that it protects."""
