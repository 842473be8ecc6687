"""What the record processor does with a record beside logging it: nothing.

A folder of your own with another process.py takes its place: docs/record-processor.md has the steps.
"""

from leda.records import Record


def process(record: Record) -> None:
    """Take the record. Raise leda.records.Unprocessable to put it aside, anything else to get it again."""
