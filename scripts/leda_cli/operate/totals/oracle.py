"""What the totals must be: one plain pass over the messages.

It is independent of lambda_src/ on purpose and shares no code with it, so that one mistake cannot be in both: the
highest version of an id wins, `Deleted` takes it out, and what is left is counted and summed at every node of the
hierarchy.
"""

from __future__ import annotations

import decimal
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

# Wider than any DynamoDB Number (38 digits): a sum is exact or raises, it is never rounded.
_EXACT = decimal.Context(prec=200, traps=[decimal.Inexact, decimal.InvalidOperation])


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a message's fields; the defaults are the workshop's."""

    id: str = "TradeID"
    version: str = "Version"
    value: str = "Value"
    deleted: str = "Deleted"
    hierarchy: str | None = "Hierarchy"
    levels: tuple[str, ...] = ("RiskType", "TradeDesk", "Region")

    @classmethod
    def of_schema(cls, schema: Mapping[str, Any]) -> Names:
        """The names in a schema of the pipeline (StateLambda's environment variable SCHEMA)."""
        known = {name: schema[name] for name in cls.__slots__ if name in schema}
        if "levels" in known:
            known["levels"] = tuple(known["levels"])
        return cls(**known)


class Total(NamedTuple):
    """What stands at a node: how many trades are below it, and what they add up to."""

    trades: int
    value: Decimal


NOTHING = Total(0, Decimal(0))
"""What stands at a node without trades, whether it has a row or not."""


@dataclass(slots=True)
class Oracle:
    """The final state of the messages seen so far, in whatever order they come."""

    names: Names = field(default_factory=Names)
    _state: dict[str, tuple[int, str | None, Decimal]] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many ids were seen, deleted ones included."""
        return len(self._state)

    def see(self, message: Mapping[str, Any]) -> None:
        """Take one message."""
        names = self.names
        identifier, version = message[names.id], int(message[names.version])
        if message.get(names.deleted) is True:
            self._take(identifier, version, None, Decimal(0))
            return
        place = message[names.hierarchy] if names.hierarchy else message
        path = ":".join(place[level] for level in names.levels)
        self._take(identifier, version, path, Decimal(message[names.value]))

    def see_bytes(self, data: bytes) -> None:
        """Take one message as it goes into the stream."""
        self.see(json.loads(data, parse_float=Decimal))

    def see_row(self, row: Mapping[str, Any]) -> None:
        """Take a row of StateTable (plain Python values, numbers as Decimal)."""
        deleted = row.get("Deleted") is True
        path = None if deleted else row["Path"]
        value = Decimal(0) if deleted else row["Value"]
        self._take(row["id"], int(row["Version"]), path, value)

    def totals(self) -> dict[str, Total]:
        """The total of every node that has trades below it."""
        sums: dict[str, Total] = {}
        with decimal.localcontext(_EXACT):
            for _, path, value in self._state.values():
                if path is None:
                    continue
                parts = path.split(":")
                for depth in range(1, len(parts) + 1):
                    node = ":".join(parts[:depth])
                    known = sums.get(node, NOTHING)
                    sums[node] = Total(known.trades + 1, known.value + value)
        return sums

    def _take(self, identifier: str, version: int, path: str | None, value: Decimal) -> None:
        known = self._state.get(identifier)
        if known is None or known[0] < version:
            self._state[identifier] = (version, path, value)


def fold(messages: Iterable[Mapping[str, Any]], names: Names | None = None) -> dict[str, Total]:
    """The totals over `messages`."""
    oracle = Oracle(names or Names())
    for message in messages:
        oracle.see(message)
    return oracle.totals()
