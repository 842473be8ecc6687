"""What DynamoDB charges: the size of an item, and the write and read units of each kind of call.

The rules are AWS's: sizes from
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html, units from
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html. They are computed here
because emulators do not report them: DynamoDB Local reports no units for PartiQL, and 2 units a table for a transaction
of any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

WRITE_STEP_BYTES = 1024
READ_STEP_BYTES = 4096
# A transaction prepares and then commits each item, also that of a ConditionCheck, so each counts as two writes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-capacity-handling
TRANSACTION_FACTOR = 2
# What an item takes in storage besides its attributes. Requests are not charged for it.
STORAGE_OVERHEAD_BYTES = 100

_LIST_OR_MAP_BYTES = 3
_ELEMENT_BYTES = 1

Item = Mapping[str, Mapping[str, Any]]


def number_bytes(text: str) -> int:
    """The size of a number: a byte for each two significant digits, rounded up, plus one. AWS calls it approximate.

    >>> number_bytes("1616413258.8997078"), number_bytes("0"), number_bytes("1000")
    (10, 1, 2)
    """
    digits = "".join(map(str, Decimal(text).as_tuple().digits)).strip("0")
    return (len(digits) + 1) // 2 + 1


def value_bytes(value: Mapping[str, Any]) -> int:
    """The size of a value in DynamoDB's JSON, without its name. Raises ValueError for a type LEDA does not store."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return number_bytes(content)
        case "BOOL" | "NULL":
            return 1
        case "M":
            entries = (
                len(name.encode()) + value_bytes(entry) + _ELEMENT_BYTES
                for name, entry in content.items()
            )
            return _LIST_OR_MAP_BYTES + sum(entries)
        case "L":
            return _LIST_OR_MAP_BYTES + sum(value_bytes(each) + _ELEMENT_BYTES for each in content)
    raise ValueError(f"no size is known for a value of the type {kind}")


def item_bytes(item: Item | None) -> int:
    """The size of an item, names included; 0 for no item."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in (item or {}).items())


def write_units(before: Item | None, after: Item | None = None, transaction: bool = False) -> int:
    """The units of a put, an update or a delete, by the larger of the item before and after it.

    For a write whose condition failed, leave out `after`: the write costs as much as the stored item, or one unit if
    there is none. The same holds for a ConditionCheck in a transaction.
    """
    return write_units_of_bytes(max(item_bytes(before), item_bytes(after)), transaction)


def write_units_of_bytes(size: int, transaction: bool = False) -> int:
    """The units of writing an item of so many bytes; at least one."""
    return max(1, -(-size // WRITE_STEP_BYTES)) * (TRANSACTION_FACTOR if transaction else 1)


def read_units(item: Item | None) -> int:
    """The units of a GetItem that reads consistently: 1 for 4 KB."""
    return max(1, -(-item_bytes(item) // READ_STEP_BYTES))
