"""The default `process`, which does nothing: the record processor only logs each record.

A folder of your own with another process.py replaces this one: docs/record-processor.md has the steps.
"""

from leda.records import Record


def process(record: Record) -> None:
    """Process the record. Raise leda.records.Unprocessable to quarantine the record, anything else to get it again."""
