"""Quarantines the records that Map and Reduce cannot read or add, each with its reason."""

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leda.engine.shards import Shard
from leda.quarantine.bad_records import from_table_stream
from leda.quarantine.bucket import MAX_LOGGED_BYTES, BadRecord, Quarantine
from leda.streams.raw_records import to_json
from leda.streams.stream_records import StreamRecord, Unreadable
from leda.values.texts import cut


@dataclass(frozen=True, slots=True)
class Reject:
    """A record to quarantine, and the reason. With a `node`, only that total lacks the record."""

    record: StreamRecord
    reason: str
    node: str | None = None


class Rejects:
    """Quarantines the rejected records of one function, and logs each with `warn`, a logger's method."""

    def __init__(self, quarantine: Quarantine, warn: Callable[..., None]) -> None:
        self._quarantine = quarantine
        self._warn = warn

    def put(self, shard: Shard, reject: Reject) -> None:
        """Quarantine the record. A retry overwrites the object. Raises the S3 client's error."""
        record = reject.record
        # One record may be rejected for several totals, and each reason is kept.
        suffix = "" if reject.node is None else f"-{zlib.crc32(reject.node.encode()):08x}"
        key = self._quarantine.put(
            BadRecord(
                reject.reason,
                shard.stream,
                shard.id,
                # As received: GetShardIterator takes no other form of it.
                str(record.raw["dynamodb"]["SequenceNumber"]),
                record.event_id + suffix,
                record.arrived,
                to_json(record.raw),
            )
        )
        self._warn(
            "quarantined",
            extra={
                "shard": shard.id,
                "sequence_number": str(record.sequence),
                "reason": cut(reject.reason, MAX_LOGGED_BYTES),
                "key": key,
            },
        )

    def put_unreadable(self, event: Mapping[str, Any], unreadable: Iterable[Unreadable]) -> None:
        """Quarantine the records of the event that cannot be read. Raises the S3 client's error."""
        for each in unreadable:
            bad = from_table_stream(each.raw, each.reason, event.get("shardId"))
            key = self._quarantine.put(bad)
            self._warn("quarantined", extra={"shard": bad.shard, "reason": bad.reason, "key": key})
