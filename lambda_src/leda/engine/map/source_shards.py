"""Assigns a configuration and a number of lanes to each shard of the source table's stream.

Map stores the assignment in RegistryTable when it gets the shard's first records, so that it computes a redelivered
change as it did the first time ("What must not depend on a deployment" in docs/exactly-once.md). Only a backfill
replaces an assignment.
"""

from dataclasses import dataclass

from leda.engine.group_by.configuration import Configuration
from leda.engine.registry import (
    CONFIGURATIONS,
    LANES,
    LIVE,
    Registry,
    Row,
    ShardCache,
    configuration_of,
    shard_row,
    source_scope,
)
from leda.engine.shards import Shard


@dataclass(frozen=True, slots=True)
class Assignment:
    """The configuration by which Map computes a shard's changes, and the number of lanes.

    Each backfill gives a shard a new `generation`, with new rows, because closed rows stay closed.
    """

    configuration: Configuration
    lanes: int
    generation: int = 0

    def source(self, shard: Shard) -> str:
        """Return the sort key of the shard's rows of ReduceTable."""
        return f"{shard.source}/{self.generation}" if self.generation else shard.source


def _of_row(row: Row) -> tuple[str, int, int]:
    """Return the version, the number of lanes and the generation in a shard's row."""
    generation = int(row.get("Generation", {"N": "0"})["N"])
    return row["Version"]["S"], int(row["Lanes"]["N"]), generation


class SourceShards:
    """The assignments of the source table's shards, each stored when Map gets the shard's first records.

    With `needs_backfill` nothing is counted until `leda backfill` has made a configuration live: the table may have
    rows that are in no record of the stream.
    """

    def __init__(
        self,
        registry: Registry,
        deployed: Configuration,
        lanes: int,
        *,
        needs_backfill: bool = False,
    ) -> None:
        self._registry = registry
        self._deployed = deployed
        self._lanes = lanes
        self._needs_backfill = needs_backfill
        self._known = ShardCache[Assignment]()

    def forget(self, shard: Shard) -> None:
        """Drop the cached assignment of the shard, so that the next call of `of` reads the registry."""
        self._known.forget(shard)

    def is_current(self, shard: Shard, assignment: Assignment) -> bool:
        """Return whether RegistryTable still has this assignment for the shard."""
        row = self._registry.get(source_scope(shard.stream), shard.id)
        own = assignment.configuration.version, assignment.lanes, assignment.generation
        return row is None or _of_row(row) == own

    def of(self, shard: Shard, created: float | None) -> Assignment | None:
        """Return the shard's assignment; None before the first backfill, while Map counts nothing.

        `created` is the time of the shard's records in epoch seconds, if it is known. Raises RegistryError.
        """
        known = self._known.get(shard)
        if known is None:
            name = shard.id
            row = self._registry.get(source_scope(shard.stream), name)
            if row is None:
                row = self._assign(shard, created)
            if row is None:
                # Not cached, because the first backfill may make a configuration live at any time.
                return None
            version, lanes, generation = _of_row(row)
            known = Assignment(self._configuration(version), lanes, generation)
            self._known.put(shard, known)
        return known

    def _assign(self, shard: Shard, created: float | None) -> Row | None:
        if self._needs_backfill and self._registry.get(CONFIGURATIONS, LIVE) is None:
            return None
        if not shard.is_made_up:
            self._registry.register_stream("map", shard.stream)
        version = self._live_version()
        # `leda rebuild` reads the rows of every number of lanes, so the number is stored before the first row is.
        self._registry.put_if_absent(LANES, f"{version}.{self._lanes}", {})
        scope = source_scope(shard.stream)
        attributes = {"Version": {"S": version}, "Lanes": {"N": str(self._lanes)}}
        self._registry.put_if_absent(scope, shard.id, shard_row(attributes, created))
        # Read it back: another execution environment may have stored its own assignment first.
        row = self._registry.get(scope, shard.id)
        assert row is not None
        return row

    def _live_version(self) -> str:
        version = self._deployed.version
        document = {"Document": {"S": self._deployed.document}}
        self._registry.put_if_absent(CONFIGURATIONS, version, document)
        live = self._registry.get(CONFIGURATIONS, LIVE)
        if live is None:
            self._registry.put_if_absent(CONFIGURATIONS, LIVE, {"Version": {"S": version}})
            live = self._registry.get(CONFIGURATIONS, LIVE)
            assert live is not None
        found: str = live["Version"]["S"]
        return found

    def _configuration(self, version: str) -> Configuration:
        if version == self._deployed.version:
            return self._deployed
        return configuration_of(self._registry, version)
