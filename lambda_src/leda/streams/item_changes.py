"""Turns a stream record into a document for people: which attributes of an item changed, from what to what.

    {"event": "update", "table": "Users", "keys": {"user_id": "u1", "timestamp": 1700000000},
     "changed": {"email": {"old": "a@example.org", "new": "b@example.org"}, "phone": {"old": "1"}},
     "changed_at": "2025-01-01T00:00:00+00:00", "sequence_number": "4421...", "event_id": "c4ca..."}

`event` is create, update, delete or expire (time to live removed the item). `changed` has the attributes that
differ, keys apart: without "old" where there was none before, without "new" where there is none any more. A number in
another form (100, 1E+2) and a set in another order do not differ.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from leda.streams import stream_records
from leda.streams.stream_records import IMAGES, Image, StreamRecord
from leda.values.plain import UnknownTypeError, canonical, json_number, require_known, row
from leda.values.texts import cut

EVENTS = {"INSERT": "create", "MODIFY": "update", "REMOVE": "delete"}

# An SNS message may have 256 KB, a line of a function's log as much or more; the margin is for what surrounds it.
# https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
MAX_BYTES = 200_000
# Of the attributes that are left out of a change that is larger, so many are named, each by so many bytes: a byte of
# UTF-8 is at most six of JSON in ASCII, and the names together stay within half of MAX_BYTES.
MAX_NAMED = 100
MAX_NAME_BYTES = 150


class UnreadableChangeError(ValueError):
    """A stream record from which no change can be read; the text says why, and holds no value of the item."""


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One change; `record` has the images, `keys` is in DynamoDB's JSON. `read` has checked what is in them."""

    event: str
    table: str
    keys: Image
    record: StreamRecord

    @property
    def sequence_number(self) -> str:
        """The sequence number as received, which is the only form that GetShardIterator takes."""
        return str(self.record.raw["dynamodb"]["SequenceNumber"])

    def document(
        self, hidden: Collection[str] = (), number: Callable[[str], Any] = json_number
    ) -> dict[str, Any]:
        """Return the change in the form that this module's docstring shows; `hidden` and `number` as in `plain`."""
        return {
            "event": self.event,
            "table": self.table,
            "keys": row(self.keys, hidden, number),
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
            shown = {
                side: row({name: image[name]}, hidden, number)[name]
                for side, image in sides.items()
                if name in image
            }
            changed[name] = shown
        return changed


def read(raw: Any) -> ItemChange:
    """Read the change from a stream record. Raises UnreadableChangeError."""
    try:
        record = stream_records.read_one(raw)
    except stream_records.MalformedRecordError as error:
        raise UnreadableChangeError(str(error)) from error
    event, change = EVENTS.get(record.event_name), raw["dynamodb"]
    if event is None:
        raise UnreadableChangeError(f"eventName is not one of {', '.join(EVENTS)}")
    keys = change.get("Keys")
    if not isinstance(keys, Mapping) or not keys:
        raise UnreadableChangeError("the record has no Keys")
    if (record.old is not None, record.new is not None) != IMAGES[record.event_name]:
        raise UnreadableChangeError(
            f"{record.event_name} without its images (StreamViewType {change.get('StreamViewType')}): "
            "the table's stream must carry NEW_AND_OLD_IMAGES"
        )
    for attributes in (keys, record.old, record.new):
        _require_known(attributes or {})
    return ItemChange(
        "expire" if record.expired else event, table_of(raw.get("eventSourceARN")), keys, record
    )


def _require_known(attributes: Mapping[str, Any]) -> None:
    """Raises UnreadableChangeError unless the attributes are what DynamoDB can hold."""
    try:
        for value in attributes.values():
            require_known(value)
    except UnknownTypeError as error:
        raise UnreadableChangeError(str(error)) from error


def table_of(stream: object) -> str:
    """The table's name in its stream's ARN. Raises UnreadableChangeError."""
    _, mark, name = str(stream).partition(":table/")
    if not mark:
        raise UnreadableChangeError("eventSourceARN is not that of a table's stream")
    return name.partition("/")[0]


def fitted(document: dict[str, Any]) -> dict[str, Any]:
    """Leave the largest attributes out of a document that has more than MAX_BYTES.

    `left_out` then says how many there are and names the first of them.
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
        # A name may be long itself.
        "left_out": {
            "attributes": len(gone),
            "names": [cut(name, MAX_NAME_BYTES) for name in gone[:MAX_NAMED]],
        },
    }


def _size(value: object) -> int:
    """The bytes of the value as JSON in ASCII, which is the longest form."""
    return len(json.dumps(value))
