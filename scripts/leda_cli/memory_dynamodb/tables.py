"""Tables in memory: where an item belongs, and the writes of items as actions."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from leda_cli.memory_dynamodb.attribute_values import Invalid, Item, copied, size, stored_item

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_ITEM_BYTES = 400 * 1024
MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024

Place = tuple[str, str]
NewRow = Callable[[Item | None], Item | None]
"""The row after a write, from the row before it; raises Invalid."""


class ConditionFailed(Exception):
    """A condition does not hold; `item` is the row if ALL_OLD requested it."""

    def __init__(self, item: Item | None) -> None:
        self.item = item


@dataclass(slots=True)
class Table:
    """Rows by partition key, then by sort key ("" in a table without one)."""

    name: str
    keys: dict[str, str]
    """The type of each key attribute, the partition key first."""
    local_indexes: dict[str, str] = field(default_factory=dict)
    """The sort key of each local secondary index, and its type."""
    expires_by: str | None = None
    """The attribute with the time to live, in epoch seconds."""
    rows: dict[str, dict[str, Item]] = field(default_factory=lambda: defaultdict(dict))

    def place(self, item: Mapping[str, Any]) -> Place:
        """Where the item belongs. Raises Invalid."""
        found = []
        for name, kind in self.keys.items():
            value = item.get(name)
            if value is None:
                raise Invalid("One of the required keys was not given a value")
            if kind not in value:
                raise Invalid("One or more parameter values were invalid: Type mismatch for key")
            text = value[kind]
            if not text:
                raise Invalid(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
                    f"contain an empty string value. Key: {name}"
                )
            found.append(text)
        return found[0], found[1] if len(found) > 1 else ""

    def place_of_key(self, key: Mapping[str, Any]) -> tuple[Place, Item]:
        """Where the item of that key belongs, and the key as it is stored. Raises Invalid."""
        if len(key) != len(self.keys):
            raise Invalid("The number of conditions on the keys is invalid")
        kept = stored_item(key)
        return self.place(kept), kept

    def require_index_keys(self, item: Item) -> None:
        """Raises Invalid if the sort key of an index has a value that cannot be a key."""
        for name, kind in self.local_indexes.items():
            value = item.get(name)
            if value is None:
                continue
            if kind not in value:
                raise Invalid(
                    "One or more parameter values were invalid: Type mismatch for Index Key"
                )
            if not value[kind]:
                raise Invalid(
                    "One or more parameter values are not valid. A value specified for a secondary index key is "
                    f"not supported. The AttributeValue for a key attribute cannot contain an empty string value. "
                    f"IndexKey: {name}"
                )

    def get(self, place: Place) -> Item | None:
        """The row at the place; None if there is none."""
        partition = self.rows.get(place[0])
        return partition.get(place[1]) if partition else None

    def set(self, place: Place, item: Item | None) -> None:
        """Store a row at the place, or delete it (None)."""
        if item is not None:
            self.rows[place[0]][place[1]] = item
        elif place[0] in self.rows:
            self.rows[place[0]].pop(place[1], None)
            if not self.rows[place[0]]:
                del self.rows[place[0]]

    def key(self, item: Item) -> Item:
        """The item's key attributes."""
        return {name: item[name] for name in self.keys}

    def order(self, place: Place) -> tuple[str, str | Decimal]:
        """The sort key of a place in scans and queries: numbers by value, strings by their bytes.

        AWS does not tell the order of partition keys; here it is that of their texts.
        """
        is_number = list(self.keys.values())[1:] == ["N"]
        return place[0], Decimal(place[1]) if is_number else place[1]

    def collection_bytes(self, partition_key: str) -> int:
        """The size of all rows with that partition key."""
        return sum(map(size, self.rows.get(partition_key, {}).values()))

    def partition(self, partition_key: str) -> list[Item]:
        """The partition's rows in the order of their sort keys."""
        rows = self.rows.get(partition_key, {})
        return [rows[key] for key in sorted(rows, key=lambda key: self.order((partition_key, key)))]


@dataclass(slots=True)
class Action:
    """A checked write that is not done yet: `change` returns the row after it, or raises Invalid."""

    table: Table
    place: Place
    change: NewRow
    condition: Callable[[Item], bool] | None
    wants_old: bool
    """Whether a failed condition shows the row."""
    refusal: str | None = None
    """Why the action is refused, whatever the row."""
    writes: bool = True

    def run(self) -> tuple[Item | None, Item | None, int]:
        """The row before and after, and the bytes written. Raises Invalid or ConditionFailed."""
        if self.refusal:
            raise Invalid(self.refusal)
        require_key_length(self.place)
        old = self.table.get(self.place)
        if self.condition is not None and not self.condition(old or {}):
            raise ConditionFailed(copied(old) if self.wants_old and old else None)
        new = self.change(old)
        if new is not None:
            self.table.require_index_keys(new)
        return old, new, item_size(new) if self.writes and new is not None else 0


def require_key_length(place: Place) -> None:
    """Raises Invalid for a key that is too long."""
    for text, most in zip(place, (MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES), strict=True):
        # A character has at most four bytes.
        if len(text) * 4 > most and len(text.encode()) > most:
            raise Invalid(
                "Hash primary key values must be under 2048 bytes, and range primary key values must be under "
                "1024 bytes"
            )


def item_size(item: Item) -> int:
    """The item's bytes. Raises Invalid for one that is too big."""
    found = size(item)
    if found > MAX_ITEM_BYTES:
        raise Invalid("Item size has exceeded the maximum allowed size")
    return found
