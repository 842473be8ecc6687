"""A batch of a DynamoDB stream for a function that is idempotent record by record.

Such a function reads what it can, puts the rest aside, and answers which records must come again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from leda.quarantine.bucket import BadRecord, made_up_id, whole
from leda.streams.arrival import arrival_time
from leda.streams.stream_records import is_sequence_number


def bad_record(raw: Any, reason: str, shard: str | None) -> BadRecord:
    """The stream record, whole, as it is put aside. Nothing is expected of it: it may have no part that it should.

    `shard` is the event's, which only mappings with a tumbling window name.
    """
    fields = raw if isinstance(raw, Mapping) else {}
    change = fields.get("dynamodb")
    change = change if isinstance(change, Mapping) else {}
    sequence = change.get("SequenceNumber")
    sequence = sequence if is_sequence_number(sequence) else ""
    stream = fields.get("eventSourceARN")
    stream = stream if isinstance(stream, str) else ""
    event_id, data = fields.get("eventID"), whole(raw)
    return BadRecord(
        reason=reason,
        stream=stream,
        shard=shard or stream,
        sequence_number=sequence,
        event_id=(
            event_id if event_id and isinstance(event_id, str) else sequence or made_up_id(data)
        ),
        arrived=arrival_time(change.get("ApproximateCreationDateTime")),
        data=data,
    )


class NotKeptError(RuntimeError):
    """A record could be neither processed nor put aside, and has no sequence number to ask for it again by."""


def answer(failed: Iterable[str]) -> dict[str, Any]:
    """Which records must come again: Lambda delivers from the lowest on. Raises NotKeptError.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    numbers = sorted(failed, key=lambda number: (len(number), number))
    if numbers and not numbers[0]:
        # Lambda takes an empty name for a failure of the whole batch, too; the error says why.
        raise NotKeptError(
            "a record without a SequenceNumber was not put aside: see the log's last errors"
        )
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}
