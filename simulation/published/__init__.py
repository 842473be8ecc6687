"""The published design of the pipeline, for comparison: it recognizes duplicates by a hash of the batch.

State writes each message on condition that it is newer. Map puts one delta row a batch, under the batch's hash, on
condition that no such row is there. Reduce adds a batch's delta rows in one transaction whose token is the batch's
hash. The rest (which messages are valid, the rows of StateTable, exact arithmetic) is LEDA's code, so that
every wrong total comes from the hashes.

The design: https://catalog.workshops.aws/dynamodb-labs/en-US/event-driven-architecture
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

# A client token has at most 36 characters.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
HASH_CHARACTERS = 32


def batch_hash(records: Sequence[Mapping[str, Any]]) -> str:
    """The hash of the batch: the same records in the same order have the same hash."""
    names = "\n".join(record["eventID"] for record in records)
    return hashlib.sha256(names.encode()).hexdigest()[:HASH_CHARACTERS]
