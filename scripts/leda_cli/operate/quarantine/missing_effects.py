"""Says what Map's and Reduce's quarantined records are about, and what the source table's rows add to totals today.

These records are not delivered again: the checkpoint of the row of ReduceTable, or of the total, covers them, so Map
and Reduce would ignore them as duplicates. An operator corrects the row in the source table, and Map counts that
change; or `leda rebuild` computes the totals again. A record does not say whether a total lacks something; `leda
verify` does. The row itself says it only of a change whose images Map has read: of such a change Map has subtracted the
old image, and the new one, which cannot be counted, adds nothing until another change corrects it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from leda.engine.audit.row_keys import key_text
from leda.engine.audit.source_sum import attributes_of
from leda.engine.group_by.hierarchy_path import HierarchyPath
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import (
    MalformedRecordError,
    has_made_up_number,
    image_fault,
    read_one,
)
from leda.values.texts import number_of
from leda_cli.operate.deployed.rows import rows_by_key
from leda_cli.operate.quarantine.quarantined import GivenUp, Kept, Quarantined

if TYPE_CHECKING:
    from leda.engine.group_by.configuration import Configuration
    from leda_cli.operate.aggregation import Aggregation

SHOWN_TOTALS = 5
"""Totals of a row that are named; one with a list may be in thousands."""
_LANE_KEY = {"Lane": "S", "Source": "S"}


@dataclass(frozen=True, slots=True)
class Today:
    """What is known of a record's effect now.

    is_open: a value is in no total until somebody corrects its row.
    is_counted: Map has read the change, and its row is gone or can be counted, so no total lacks it.
    """

    text: str
    is_open: bool = False
    is_counted: bool = False


def effects_today(aggregation: Aggregation, objects: Iterable[Kept]) -> dict[str, Today]:
    """What can be said of each of Map's and Reduce's objects, by key."""
    source = aggregation.source
    found: dict[str, Today] = {}
    row_keys: dict[str, dict[str, Any]] = {}
    read_changes: set[str] = set()
    for kept in objects:
        if isinstance(kept, GivenUp):
            found[kept.key] = Today(
                number_of(
                    kept.count, f"change of {kept.shard} was", f"changes of {kept.shard} were"
                )
                + " not counted"
            )
        elif kept.stage == "reduce":
            key = _key(kept, _LANE_KEY)
            row = (
                f" {key['Lane']['S']} of {key['Source']['S']}"
                if key
                else ", which the record does not name,"
            )
            found[kept.key] = Today(
                f"sums of {aggregation.reduce_table}'s row{row} were not added: {kept.reason}"
            )
        elif row_key := _key(kept, source.keys):
            row_keys[kept.key] = row_key
            if _has_images(kept):
                read_changes.add(kept.key)
        else:
            found[kept.key] = Today("a change of a row that the record does not name")
    if row_keys:
        configuration = aggregation.live()
        attributes = attributes_of(list(source.keys), configuration)
        rows = rows_by_key(aggregation.account.dynamodb, source, row_keys.values(), attributes)
        for name, row_key in row_keys.items():
            named = f"{source.name}'s row {key_text(row_key, list(source.keys))}"
            today = _row_today(named, rows.get(source.key_of(row_key)), configuration)
            found[name] = replace(today, is_counted=name in read_changes and not today.is_open)
    return found


def _has_images(kept: Quarantined) -> bool:
    """Whether the record shows the row before and after its change. Map counts nothing of any other record."""
    try:
        record = read_one(json.loads(kept.data))
    except (ValueError, MalformedRecordError):
        return False
    return image_fault(record) is None and not has_made_up_number(record)


def _row_today(named: str, row: Mapping[str, Any] | None, configuration: Configuration) -> Today:
    if row is None:
        return Today(f"{named} is gone today")
    try:
        counted = configuration.contribution(row)
    except UnreadableRowError as error:
        return Today(f"{named} still cannot be counted ({error}): correct it", is_open=True)
    if counted is None:
        is_hierarchy = isinstance(configuration.totals, HierarchyPath)
        state = "deleted today" if is_hierarchy else "in no grouping today"
        return Today(f"{named} is {state}")
    amounts = ", ".join(
        f"{name} {amount}"
        for name, amount in zip(configuration.names, counted.amounts, strict=True)
    )
    more = len(counted.leaves) - SHOWN_TOTALS
    totals = ", ".join(counted.leaves[:SHOWN_TOTALS]) + (f" and {more:,} more" if more > 0 else "")
    return Today(f"{named} can be counted today: {totals} {amounts}")


def _key(kept: Quarantined, kinds: Mapping[str, str]) -> dict[str, Any] | None:
    """The key of the row that the record is about, as DynamoDB's client takes it; None where it names none."""
    try:
        keys = json.loads(kept.data)["dynamodb"]["Keys"]
        texts = {name: keys[name][kind] for name, kind in kinds.items()}
        if not all(isinstance(text, str) for text in texts.values()):
            return None
        # Bytes are base64 in Lambda's JSON.
        return {
            name: {kind: base64.b64decode(texts[name]) if kind == "B" else texts[name]}
            for name, kind in kinds.items()
        }
    except (ValueError, KeyError, TypeError):
        return None
