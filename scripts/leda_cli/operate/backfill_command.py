"""`leda backfill`: makes the deployed configuration live, with all totals computed from the table."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from leda.engine.audit.table_scan import SEGMENTS
from leda.engine.group_by.groupings import Groupings
from leda.engine.group_by.hierarchy import SEPARATOR
from leda.engine.registry import LANES, Registry
from leda.values.texts import number_of
from leda_cli.base.operations import JsonOption, Operation
from leda_cli.models.measured import service_times
from leda_cli.operate.aggregation import Aggregation, MapFunctionOption
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.deployed.source_table import TableSize
from leda_cli.operate.rebuild_command import (
    MarkersOption,
    SegmentsOption,
    WaitOption,
    keep_lines,
    report,
    run,
    work_of,
)
from leda_cli.operate.rebuilding.forecast import Forecast, forecast, require_time
from leda_cli.operate.rebuilding.rebuild import Rebuild, Result
from leda_cli.operate.rebuilding.rebuild_parts import STREAM_SECONDS
from leda_cli.operate.rebuilding.rebuild_source import WAITING_SECONDS
from leda_cli.operate.stack import NamePrefixOption
from leda_cli.operate.verify import unreadable_lines


def backfill(
    wait: WaitOption = 30.0,
    segments: SegmentsOption = SEGMENTS,
    markers: MarkersOption = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Read the table and say how many totals there would be, which rows would be quarantined, what it "
            "costs and how long it takes; change nothing.",
        ),
    ] = False,
    as_json: JsonOption = False,
    map_function: MapFunctionOption = None,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """Make the deployed groupings and measures live: all totals are computed from the table, while it is written to.

    A change of them in Terraform has no effect until then; the way back is the same command. On a table that has rows
    already it is the first thing to run. The table's writers go on; the totals stand still while it runs. Killed
    anywhere, it is simply run again.
    """
    aggregation = Aggregation.find(aws, name_prefix, map_function)
    operation = Operation(as_json)
    source, version = aggregation.source.name, aggregation.deployed.configuration.version
    operation.heading(
        f"Computing {aggregation.totals_table} from {source} under configuration {version}"
    )
    work = work_of(aggregation, operation, is_backfill=True, markers=markers, segments=segments)
    if not dry_run:
        run(work, aggregation, operation, wait)
        return
    with answering(aggregation.account.endpoint):
        result = work.look()
        size = TableSize.of(aggregation.account.dynamodb, source)
        found = _forecast(aggregation, result, work, size)
    operation.report(
        report(result, "dry run") | {"groupings": groupings(result), "forecast": _as_json(found)},
        _lines(result, found, source),
    )
    require_time(found.reading_seconds, size, segments, source, work.command)


def groupings(result: Result) -> dict[str, int]:
    """How many totals each grouping makes; a hierarchy and plain identifiers are one."""
    configuration, totals = result.configuration, result.expected.totals
    if not isinstance(configuration.totals, Groupings):
        return {"totals": len(totals)}
    found = Counter(name.partition(SEPARATOR)[0] for name in totals)
    return {name: found[name] for name in json.loads(configuration.document)["group_by"]}


def _forecast(aggregation: Aggregation, result: Result, work: Rebuild, size: TableSize) -> Forecast:
    client = aggregation.account.dynamodb
    version, lanes = result.configuration.version, aggregation.deployed.lanes
    registered = Registry(client, aggregation.registry_table).rows(LANES)
    sets = {f"{version}.{lanes}", *(row["Name"]["S"] for row in registered)}
    described = client.describe_table(TableName=aggregation.totals_table)["Table"]
    totals = result.expected.totals
    changed = (change.identifier for change in result.changes)
    return forecast(
        result.configuration,
        itertools.chain(totals, (name for name in changed if name not in totals)),
        size,
        result.reading_seconds,
        STREAM_SECONDS + (STREAM_SECONDS if work.markers else WAITING_SECONDS),
        len(sets),
        len(described.get("GlobalSecondaryIndexes", ())),
        client.meta.region_name,
        service_times(),
    )


def _as_json(found: Forecast) -> dict[str, Any]:
    return {
        "reading_seconds": round(found.reading_seconds, 1),
        "behind_seconds": round(found.behind_seconds, 1),
        "read_units": round(found.read_units),
        "write_units": found.write_units,
        "dollars": None if found.dollars is None else round(found.dollars, 4),
        "region": found.region,
    }


def _lines(result: Result, found: Forecast, source: str) -> Iterator[str]:
    counts = groupings(result)
    width = max(map(len, counts))
    for name, count in counts.items():
        yield f"{name:<{width}}  {number_of(count, 'total')}"
    yield from unreadable_lines(result.expected, source)
    if result.expected.outside:
        outside = number_of(result.expected.outside, "row is", "rows are")
        yield f"{outside} in no total, because the configuration counts no such row"
    yield from keep_lines(result)
    yield f"would correct {number_of(len(result.changes), 'total')}; those that are only in flight now are among them"
    dollars = (
        f"no prices of {found.region} are known"
        if found.dollars is None
        else f"${found.dollars:,.4f} at the list prices of {found.region}"
    )
    yield (
        f"units: {found.read_units:,.0f} read, {found.write_units:,.0f} write; {dollars} (this dry run has read the "
        "table once already)"
    )
    yield (
        f"time: {found.reading_seconds:,.0f} s to read {number_of(result.expected.rows, 'row')}, as this dry run; the "
        f"totals would stand still for about {found.behind_seconds:,.0f} s, and then catch up"
    )
