"""Checks in the logs and the stream of a run whether AWS kept the guarantees that docs/exactly-once.md relies on.

The numbers are those of the page's table of guarantees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leda_cli.operate.prove.function_logs import Invocation, Log

_NO_SHARD_ERROR = "MissingShardIdError"
_MADE_UP = "made-up"


@dataclass(frozen=True, slots=True)
class Assumption:
    """A guarantee by its number in the page; `broken`: what was seen instead of it."""

    number: int
    text: str
    broken: tuple[str, ...] = ()
    is_seen: bool = True
    """Whether the run could see it at all."""

    @property
    def verdict(self) -> str:
        """`FAILED`, `held` or `not seen`."""
        if self.broken:
            return "FAILED"
        return "held" if self.is_seen else "not seen"


def of_logs(logs: Mapping[str, Log]) -> Iterator[Assumption]:
    """What the logs of Map and Reduce show of two guarantees: order within a shard, and shardId in each event."""
    engine = {stage: log for stage, log in logs.items() if stage in ("map", "reduce")}
    has_batches = any(log.invocations for log in engine.values())
    disorder = [
        line for stage, log in engine.items() for line in out_of_order(stage, log.invocations)
    ]
    yield Assumption(
        2,
        "Lambda delivers a shard's records in order, and a batch again rather than a later one first",
        tuple(disorder),
        has_batches,
    )
    nameless = [
        f"{stage}: an event named no shard"
        for stage, log in engine.items()
        if _NO_SHARD_ERROR in log.errors
    ]
    nameless += [
        f"{stage}: records had sequence numbers of fewer than 21 digits"
        for stage, log in engine.items()
        if any(each.shard == _MADE_UP for each in log.invocations)
    ]
    yield Assumption(
        4, "an event of a mapping with a tumbling window has shardId", tuple(nameless), has_batches
    )


def out_of_order(stage: str, invocations: Sequence[Invocation]) -> Iterator[str]:
    """A line for each batch that was delivered for the first time after a later batch of its shard.

    A batch that overlaps an earlier one is a repeated delivery, whatever its boundaries. A batch before all others of
    its shard may have been delivered before the log begins.
    """
    seen: dict[str, list[tuple[int, int]]] = {}
    for each in invocations:
        if not each.shard or each.shard == _MADE_UP:
            continue
        before = seen.setdefault(each.shard, [])
        is_behind = before and each.last < max(last for _, last in before)
        is_between = is_behind and each.first > min(first for first, _ in before)
        if is_between and not any(
            first <= each.last and each.first <= last for first, last in before
        ):
            yield (
                f"{stage}: the records {each.first} to {each.last} of {each.shard} came first after later ones"
            )
        before.append((each.first, each.last))


def of_stream(records: Iterable[Mapping[str, Any]]) -> Assumption:
    """Check that StateTable's stream has each change of the run's trades once and in order.

    Each record's old image must be the new image of the record before. records: those of the run's trades, each
    trade's in the order of the stream.
    """
    latest: dict[str, Mapping[str, Any] | None] = {}
    broken, count = [], 0
    for record in records:
        change = record["dynamodb"]
        identifier = change["Keys"]["id"]["S"]
        old, new = change.get("OldImage"), change.get("NewImage")
        if identifier in latest and latest[identifier] != old:
            broken.append(
                f"a change of {identifier} begins at version {_version(old)}, and the one before it ended at version "
                f"{_version(latest[identifier])}"
            )
        if new == old:
            broken.append(f"a record of {identifier} changes nothing")
        latest[identifier], count = new, count + 1
    return Assumption(
        1,
        "each change appears once in the table's stream, those of an item in their order",
        tuple(broken[:5]),
        count > 0,
    )


def _version(image: Mapping[str, Any] | None) -> str:
    return image["Version"]["N"] if image else "none at all"
