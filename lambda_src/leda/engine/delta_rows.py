"""Writes and reads rows of ReduceTable: the sums of a batch of changes, with Map's checkpoint.

    {Lane: "<version>.<lanes>.<lane>", Source: "<stream label>/<shard ID>", Sequence: "<40 digits>",
     Measures: ["Count", "Value"], Totals: {node: [amount, ...]}, Records, OldestTimestamp?, ExpiresAt?}

A lane owns the nodes whose hash falls to it, so lanes have no total in common. Its name holds the number of lanes and
the configuration's version: lanes of another number or version have rows and checkpoints of their own.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from leda.engine.group_by.configuration import MEASURE_NAME, VERSION_DIGITS, Amounts
from leda.engine.group_by.hierarchy import MAX_PATH_BYTES
from leda.streams.stream_records import Image, content
from leda.values.numbers import NotExactError, number
from leda.values.texts import number_of, utf8_bytes

# Nodes that begin with it are not totals, and no path does. Reduce writes them after all other nodes of their batch:
# when such a row exists, all earlier changes are in the totals.
RESERVED = ":"

# The attribute with the version whose backfill has closed the row: the shard's later changes are in other rows.
CLOSED_BY = "ClosedBy"

_LANE = re.compile(
    rf"(?P<version>[0-9A-Za-z]{{{VERSION_DIGITS}}})\.(?P<count>[0-9]{{1,6}})\.(?P<number>[0-9]{{1,6}})"
)


class UnreadableDeltaError(ValueError):
    """The row of ReduceTable does not have the form that Map writes; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Lane `number` of `count` lanes under a configuration's version."""

    version: str
    count: int
    number: int

    @property
    def name(self) -> str:
        """The partition key of the lane's rows in ReduceTable."""
        return f"{self.version}.{self.count}.{self.number}"

    @property
    def applied(self) -> str:
        """The attribute of a total that holds the total's checkpoint for this version and number of lanes."""
        return f"Applied{self.version}_{self.count}"

    @classmethod
    def parse(cls, name: object) -> "Lane":
        """Read a lane's name. Raises UnreadableDeltaError."""
        match = _LANE.fullmatch(name) if isinstance(name, str) else None
        if match:
            lane = cls(match["version"], int(match["count"]), int(match["number"]))
            if lane.number < lane.count:
                return lane
        raise UnreadableDeltaError(
            f"the row's Lane is {str(name)[:60]!r}, not <version>.<lanes>.<lane>"
        )


def lane_number(node: str, lanes: int) -> int:
    """Return the number of the node's lane. The hash must never change, because rows and checkpoints depend on it."""
    return zlib.crc32(node.encode()) % lanes


def item(
    lane: Lane,
    source: str,
    sequence: str,
    measures: Sequence[str],
    totals: Mapping[str, Sequence[object]],
    records: int,
) -> dict[str, Any]:
    """Return a row in DynamoDB's JSON, without its optional attributes."""
    return {
        "Lane": {"S": lane.name},
        "Source": {"S": source},
        "Sequence": {"S": sequence},
        "Measures": {"L": [{"S": name} for name in measures]},
        "Totals": {
            "M": {
                node: {"L": [{"N": str(amount)} for amount in amounts]}
                for node, amounts in totals.items()
            }
        },
        "Records": {"N": str(records)},
    }


@dataclass(frozen=True, slots=True)
class Delta:
    """The content of a row of ReduceTable: `totals` has, for each node, the text of one number for each measure."""

    lane: Lane
    measures: tuple[str, ...]
    totals: Mapping[str, tuple[str, ...]]
    oldest: Decimal | None


def read(row: Image | None) -> Delta:
    """Read a row of ReduceTable. Raises UnreadableDeltaError."""
    if not isinstance(row, Mapping):
        raise UnreadableDeltaError("the record has no new image")
    lane = Lane.parse(_value(row, "Lane", "S"))
    names, entries = _value(row, "Measures", "L"), _value(row, "Totals", "M")
    if not isinstance(names, list) or not isinstance(entries, Mapping):
        raise UnreadableDeltaError("the row has no Measures (a list) or no Totals (a map)")
    try:
        measures = tuple([str(name["S"]) for name in names])
        totals = {
            node: tuple([number_["N"] for number_ in amounts["L"]])
            for node, amounts in entries.items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise UnreadableDeltaError("Totals has a value that is not a list of numbers") from error
    if not measures or not all(map(MEASURE_NAME.fullmatch, measures)):
        raise UnreadableDeltaError("Measures is empty, or has a name that no measure has")
    for node, amounts in totals.items():
        if len(amounts) != len(measures):
            raise UnreadableDeltaError(
                f"Totals has {number_of(len(amounts), 'number')} at {node[:60]!r}, and Measures has {len(measures)}"
            )
        for text in amounts:
            if not isinstance(text, str):
                raise UnreadableDeltaError("Totals has a value that is not a list of numbers")
        size = utf8_bytes(node)
        if not size or size > MAX_PATH_BYTES:
            raise UnreadableDeltaError(
                f"Totals has a node that cannot be a key: it is not of 1 to {MAX_PATH_BYTES} bytes in UTF-8"
            )
    return Delta(lane, measures, totals, _oldest(row))


def _oldest(row: Image) -> Decimal | None:
    text = content(row, "OldestTimestamp", "N")
    try:
        return None if text is None else number(text)
    except NotExactError:
        # No total depends on it.
        return None


def amounts_of(texts: Sequence[str]) -> Amounts:
    """Return the numbers of the texts. Raises UnreadableDeltaError for a text that is not a DynamoDB Number."""
    try:
        return tuple([number(text) for text in texts])
    except NotExactError as error:
        raise UnreadableDeltaError(f"Totals has a value that {error}") from error


def _value(row: Image, attribute: str, kind: str) -> object:
    value = row.get(attribute)
    return value.get(kind) if isinstance(value, Mapping) else None
