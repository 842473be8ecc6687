"""What Map's and Reduce's quarantined records are, and what StateTable says of their effect today.

They are not delivered again: the row of ReduceTable, or the total, has passed them, so Map and Reduce would drop them
as duplicates. What they lack is corrected where it is missing: the row in StateTable (the change that corrects it is
counted), or the totals, which `leda rebuild` computes again. Whether anything is missing is not for a record to say;
`leda verify` compares everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.engine.configuration import Configuration
from leda.engine.source_sum import attributes_of
from leda.streams.changes import UnreadableRowError
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.quarantined import GivenUp, Kept, Quarantined
from leda_cli.operate.rows_by_key import rows_by_key

if TYPE_CHECKING:
    from leda_cli.operate.stack import Stack


@dataclass(frozen=True, slots=True)
class Today:
    """What is known of a record's effect now. `is_open`: a value is in no total until somebody corrects its row."""

    text: str
    is_open: bool = False


def effects_today(stack: Stack, objects: Iterable[Kept]) -> dict[str, Today]:
    """What can be said of each of Map's and Reduce's objects, by key."""
    found: dict[str, Today] = {}
    rows_of: dict[str, str] = {}
    for kept in objects:
        if isinstance(kept, GivenUp):
            found[kept.key] = Today(f"{kept.count} changes of {kept.shard} were not counted")
        elif kept.stage == "reduce":
            row = _key(kept, "Lane"), _key(kept, "Source")
            named = " of ".join(filter(None, row)) or "which the record does not name"
            found[kept.key] = Today(
                f"sums of ReduceTable's row {named} were not added: {kept.reason}"
            )
        elif identifier := _key(kept, "id"):
            rows_of[kept.key] = identifier
        else:
            found[kept.key] = Today("a change of a row that the record does not name")
    if rows_of:
        configuration = Aggregation.of_function(stack, stack.functions["map"]).live()
        attributes = attributes_of(["id"], configuration)
        rows = rows_by_key(stack.dynamodb, stack.state_table, "id", rows_of.values(), attributes)
        for key, identifier in rows_of.items():
            found[key] = _row_today(identifier, rows.get(identifier), configuration)
    return found


def _row_today(
    identifier: str, row: Mapping[str, Any] | None, configuration: Configuration
) -> Today:
    if row is None:
        return Today(f"the trade {identifier} has no row today")
    try:
        counted = configuration.contribution(row)
    except UnreadableRowError as error:
        return Today(
            f"the row of the trade {identifier} is still damaged ({error}) and in no total: correct it",
            True,
        )
    if counted is None:
        return Today(f"the trade {identifier} is deleted today")
    amounts = ", ".join(
        f"{name} {amount}"
        for name, amount in zip(configuration.names, counted.amounts, strict=True)
    )
    return Today(
        f"the row of the trade {identifier} is readable today: {', '.join(counted.leaves)} {amounts}"
    )


def _key(kept: Quarantined, name: str) -> str | None:
    """A part of the key of the row that the record is about."""
    try:
        value = json.loads(kept.data)["dynamodb"]["Keys"][name]["S"]
    except (ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None
