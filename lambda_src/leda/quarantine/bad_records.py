"""Makes records for the quarantine from records of Kinesis streams and of DynamoDB streams."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leda.quarantine.bucket import BadRecord
from leda.streams.arrival import arrival_time
from leda.streams.raw_records import id_by_content, to_json
from leda.streams.stream_records import is_sequence_number

if TYPE_CHECKING:
    from leda.streams.kinesis import UserRecord


def from_kinesis(user: "UserRecord", reason: str) -> BadRecord:
    """Return the quarantine's record of a user record."""
    return BadRecord(
        reason,
        user.stream,
        user.shard,
        user.sequence_number,
        user.event_id,
        user.arrived,
        user.data,
    )


def from_table_stream(raw: Any, reason: str, shard: str | None) -> BadRecord:
    """Return the quarantine's record of a DynamoDB stream's record, which may lack any of its parts.

    `shard` is the event's shardId, which only mappings with a tumbling window set.
    """
    fields = raw if isinstance(raw, Mapping) else {}
    change = fields.get("dynamodb")
    change = change if isinstance(change, Mapping) else {}
    sequence = change.get("SequenceNumber")
    sequence = sequence if is_sequence_number(sequence) else ""
    stream = fields.get("eventSourceARN")
    stream = stream if isinstance(stream, str) else ""
    event_id, data = fields.get("eventID"), to_json(raw)
    return BadRecord(
        reason=reason,
        stream=stream,
        shard=shard or stream,
        sequence_number=sequence,
        event_id=(
            event_id if event_id and isinstance(event_id, str) else sequence or id_by_content(data)
        ),
        arrived=arrival_time(change.get("ApproximateCreationDateTime")),
        data=data,
    )
