"""What of a deployed configuration has no effect yet, because `leda backfill` has not made it live."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from leda.engine.group_by.configuration import Configuration
from leda.engine.registry import CONFIGURATIONS, LIVE, Registry

if TYPE_CHECKING:
    from leda_cli.operate.aggregation import Aggregation


@dataclass(frozen=True, slots=True)
class NotLive:
    """The difference between what is deployed and what is live.

    groupings, measures: names of those that are new or changed in the deployed configuration.
    removed: names of groupings and measures that are live and no longer deployed.
    is_first: no configuration is live, so nothing is counted.
    has_other_settings: the configurations differ in something else.
    command: the command that makes the deployed configuration live.
    """

    groupings: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    is_first: bool = False
    has_other_settings: bool = False
    command: str = "leda backfill"

    def lines(self) -> Iterator[str]:
        """A line for each thing that waits, with the command that makes it live."""
        if self.is_first:
            yield (
                f"no configuration is live, so nothing is counted: run `{self.command}`, which counts the rows that "
                "the table has"
            )
            return
        for kind, names in (("grouping", self.groupings), ("measure", self.measures)):
            for name in names:
                yield f"the {kind} {name} is deployed and not live: run `{self.command}`"
        for name in self.removed:
            yield f"{name} is no longer deployed and still live: run `{self.command}`"
        if self.has_other_settings:
            yield f"the deployed configuration is not the live one: run `{self.command}`"


def not_live(aggregation: Aggregation, live: Configuration) -> NotLive:
    """What of the aggregation's deployed configuration waits for `leda backfill`. Raises the client's error."""
    registry = Registry(aggregation.account.dynamodb, aggregation.registry_table)
    is_first = aggregation.needs_backfill and registry.get(CONFIGURATIONS, LIVE) is None
    found = compared(aggregation.deployed.configuration, live, is_first=is_first)
    return replace(found, command=aggregation.command("backfill"))


def compared(deployed: Configuration, live: Configuration, *, is_first: bool = False) -> NotLive:
    """What of the deployed configuration differs from the live one."""
    if is_first or deployed.version == live.version:
        return NotLive(is_first=is_first)
    new, old = json.loads(deployed.document), json.loads(live.document)
    groupings, gone = _changed(new.get("group_by", {}), old.get("group_by", {}))
    measures, gone_too = _changed(new["measures"], old["measures"])
    removed = (*gone, *gone_too)
    return NotLive(
        groupings, measures, removed, has_other_settings=not (groupings or measures or removed)
    )


def _changed(
    new: Mapping[str, Any], old: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that are new or have another definition, and those that are gone."""
    changed = (name for name in sorted(new) if new[name] != old.get(name))
    return tuple(changed), tuple(sorted(old.keys() - new.keys()))
