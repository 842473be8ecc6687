"""A batch of a DynamoDB stream for a function that is idempotent record by record.

Such a function reads what it can, puts the rest aside, and answers which records must come again.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from leda.quarantine import BadRecord


def bad_record(raw: Mapping[str, Any], reason: str, shard: str | None) -> BadRecord:
    """The stream record, whole, as it is put aside. Nothing is expected of it: it may have no part that it should.

    `shard` is the event's, which only mappings with a tumbling window name.
    """
    change = raw.get("dynamodb")
    change = change if isinstance(change, Mapping) else {}
    sequence = str(change.get("SequenceNumber") or "")
    created = change.get("ApproximateCreationDateTime")
    stream = str(raw.get("eventSourceARN"))
    return BadRecord(
        reason=reason,
        stream=stream,
        shard=shard or stream,
        sequence_number=sequence,
        event_id=str(raw.get("eventID") or sequence),
        arrived=datetime.fromtimestamp(created, UTC) if isinstance(created, int | float) else None,
        data=json.dumps(raw).encode(),
    )


class NotKept(RuntimeError):
    """A record could be neither processed nor put aside, and has no sequence number to ask for it again by."""


def answer(failed: Iterable[str]) -> dict[str, Any]:
    """Which records must come again: Lambda delivers from the lowest on. Raises NotKept.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    numbers = sorted(failed, key=lambda number: (len(number), number))
    if numbers and not numbers[0]:
        # Lambda takes an empty name for a failure of the whole batch, too; the error says why.
        raise NotKept(
            "a record without a SequenceNumber was not put aside: see the log's last errors"
        )
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}
