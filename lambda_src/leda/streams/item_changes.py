"""Turns a stream record into a JSON document that shows which attributes of an item have changed.

    {"event": "update", "table": "Users", "keys": {"user_id": "u1", "timestamp": 1700000000},
     "changed": {"email": {"old": "a@example.org", "new": "b@example.org"}, "phone": {"old": "1"}},
     "changed_at": "2025-01-01T00:00:00+00:00", "sequence_number": "4421...", "event_id": "c4ca..."}

`event` is create, update, delete or expire (time to live has removed the item). `changed` has the attributes other than
keys that differ: without "old" if the attribute did not exist before, without "new" if it does not exist any more. A
number in another form (100, 1E+2) or a set in another order does not differ.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from leda.streams import stream_records
from leda.streams.stream_records import Image, StreamRecord, image_fault
from leda.values.dynamodb_json import (
    UnknownTypeError,
    canonical,
    json_number,
    read_item,
    require_valid,
)
from leda.values.texts import cut

EVENTS = {"INSERT": "create", "MODIFY": "update", "REMOVE": "delete"}

# An SNS message has at most 256 KB, and a line of a function's log no less. Both add text to the document.
# https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
MAX_BYTES = 200_000
# A larger document names the first attributes that it leaves out, and cuts long names. A byte of UTF-8 takes at most
# six bytes of JSON in ASCII, so the names take less than half of MAX_BYTES.
MAX_NAMED = 100
MAX_NAME_BYTES = 150


class UnreadableChangeError(ValueError):
    """No change can be read from the stream record; the text says why, and holds no value of the item."""


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One change of an item. `read` has checked the images in `record`, and `keys`, which is in DynamoDB's JSON."""

    event: str
    table: str
    keys: Image
    record: StreamRecord

    @property
    def sequence_number(self) -> str:
        """The sequence number as received, which is the only form that GetShardIterator accepts."""
        return str(self.record.raw["dynamodb"]["SequenceNumber"])

    def document(
        self, hidden: Collection[str] = (), number: Callable[[str], Any] = json_number
    ) -> dict[str, Any]:
        """Return the document that this module's docstring shows; `hidden` and `number` are those of `read_value`."""
        return {
            "event": self.event,
            "table": self.table,
            "keys": read_item(self.keys, hidden, number),
            "changed": self._changed(hidden, number),
            "changed_at": self.record.arrived and self.record.arrived.isoformat(),
            "sequence_number": self.sequence_number,
            "event_id": self.record.event_id,
        }

    def _changed(
        self, hidden: Collection[str], number: Callable[[str], Any]
    ) -> dict[str, dict[str, Any]]:
        old, new = self.record.old or {}, self.record.new or {}
        names = [name for name in {**old, **new} if name not in self.keys]
        changed: dict[str, dict[str, Any]] = {}
        for name in sorted(names):
            if name in old and name in new and canonical(old[name]) == canonical(new[name]):
                continue
            sides = {"old": old, "new": new}
            changed[name] = {
                side: read_item({name: image[name]}, hidden, number)[name]
                for side, image in sides.items()
                if name in image
            }
        return changed


def read(raw: Any) -> ItemChange:
    """Read the change from a stream record. Raises UnreadableChangeError."""
    try:
        record = stream_records.read_one(raw)
    except stream_records.MalformedRecordError as error:
        raise UnreadableChangeError(str(error)) from error
    if fault := image_fault(record):
        raise UnreadableChangeError(fault)
    keys = raw["dynamodb"].get("Keys")
    if not isinstance(keys, Mapping) or not keys:
        raise UnreadableChangeError("the record has no Keys")
    try:
        for attributes in (keys, record.old or {}, record.new or {}):
            for value in attributes.values():
                require_valid(value)
    except UnknownTypeError as error:
        raise UnreadableChangeError(str(error)) from error
    event = "expire" if record.expired else EVENTS[record.event_name]
    return ItemChange(event, table_of(raw.get("eventSourceARN")), keys, record)


def table_of(stream: object) -> str:
    """Return the table's name in its stream's ARN. Raises UnreadableChangeError."""
    _, mark, name = str(stream).partition(":table/")
    if not mark:
        raise UnreadableChangeError("eventSourceARN is not the ARN of a table's stream")
    return name.partition("/")[0]


def fitted(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document; if it has more than MAX_BYTES, without its largest attributes.

    `left_out` then has their number and the names of the first of them.
    """
    room = MAX_BYTES - _size({**document, "changed": {}})
    sizes = {name: _size({name: sides}) for name, sides in document["changed"].items()}
    if sum(sizes.values()) <= room:
        return document
    kept: set[str] = set()
    room //= 2  # the other half is for names
    for name in sorted(sizes, key=lambda name: (sizes[name], name)):
        room -= sizes[name]
        if room < 0:
            break
        kept.add(name)
    gone = sorted(sizes.keys() - kept)
    return {
        **document,
        "changed": {name: sides for name, sides in document["changed"].items() if name in kept},
        "left_out": {
            "attributes": len(gone),
            "names": [cut(name, MAX_NAME_BYTES) for name in gone[:MAX_NAMED]],
        },
    }


def _size(value: object) -> int:
    """Return the number of bytes of the value as JSON in ASCII, which is the longest form."""
    return len(json.dumps(value))
