"""`leda erase`: removes totals whose keys must not be kept, like a person's name, without making any total wrong.

A total's row holds the total's checkpoint. If the row were deleted while a row of ReduceTable that names the total can
still be delivered, a delivery that is delivered again would be counted once more. So a total is deleted only when

1. nothing is below it: all its measures are 0. With on_expiry = keep they need not be 0, and the source table is read
   instead;
2. no record of ReduceTable's streams names it: they keep a record for a day. `leda rebuild` and `leda backfill` write
   every total, so a day has passed since the last of them, too;
3. it is as it was before the streams were read: the deletion is conditional on its measures and all its checkpoints.
   A row of ReduceTable that names it from then on is delivered for the first time, and the total begins at 0.

A batch that Lambda has read may be delivered somewhat later than its stream keeps it, so docs/erasing-a-key.md says to
wait two days; the second rule is there for one who does not.

Before that, the rows of ReduceTable that name the total are emptied, since some do not expire. An emptied row adds
nothing, and its Sequence still says how far Map has come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

import typer

from leda.engine.audit.health import current_stream
from leda.engine.audit.source_sum import attributes_of
from leda.engine.audit.table_scan import SEGMENTS, scan
from leda.engine.group_by.configuration import Configuration
from leda.engine.group_by.hierarchy import MAX_PATH_BYTES
from leda.engine.group_by.total_labels import EXPIRES_AT, KEYS
from leda.engine.registry import LANES, Registry
from leda.engine.shards import label
from leda.streams.changes import UnreadableRowError
from leda.values.texts import number_of
from leda_cli.base.errors import LedaError, this_command
from leda_cli.base.operations import DryRunOption, JsonOption, Operation
from leda_cli.operate.aggregation import Aggregation, MapFunctionOption
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.deployed.rows import every_row, is_written
from leda_cli.operate.deployed.stream_shards import streams_of
from leda_cli.operate.rebuilding.lane_rows import Lanes, NamedNodes
from leda_cli.operate.rebuilding.stored_totals import lanes_of
from leda_cli.operate.stack import NamePrefixOption
from leda_cli.operate.totals.totals_reading import TotalsReader

Row = Mapping[str, Any]

# An iterator may need several calls to cross a part of a shard that has no records, so one empty read proves nothing.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
EMPTY_READS = 20
# A shard may be read five times a second, and Lambda reads it, too.
POLL_SECONDS = 0.5


def erase(
    identifiers: Annotated[
        list[str] | None,
        typer.Argument(help="Identifiers of totals, like users:ann.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            help="In their place: every total with this key, as NAME=TEXT, in any grouping.",
        ),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    map_function: MapFunctionOption = None,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """Delete totals with nothing below them whose keys must not be kept; docs/erasing-a-key.md has the whole way."""
    if bool(identifiers) == (key is not None):
        raise LedaError(
            "give either identifiers of totals or --key, and not both",
            "run `leda erase users:ann`, or `leda erase --key user=ann`, with your names",
        )
    aggregation = Aggregation.find(aws, name_prefix, map_function)
    operation = Operation(as_json)
    operation.heading(f"Erasing totals of {aggregation.totals_table}")
    with answering(aggregation.account.endpoint):
        work = Erasure(aggregation)
        wanted = identifiers or work.with_key(*_key_of(key or ""))
        with operation.progress("looking for what still names them"):
            result = work.look(wanted)
        if not dry_run:
            with operation.progress("erasing"):
                result = work.erase(result)
    operation.report(result.as_json(dry_run), result.lines(dry_run))
    if result.kept and not dry_run:
        of = f"of {number_of(len(wanted), 'total')}"
        raise LedaError(
            number_of(len(result.kept), f"{of} is", f"{of} are") + " not erased",
            "the lines above say why each is kept, and what to do",
        )


def _key_of(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise LedaError(f"--key {text} has no =", "write it as NAME=TEXT")
    return name, value


@dataclass(frozen=True, slots=True)
class Result:
    """Totals that are erased, or would be (`rows` as they were read), and why others are kept.

    emptied: the rows of ReduceTable that name one of those, by their keys.
    absent: identifiers that were given and have no row, each with the reason why it can have none, or an empty text.
    """

    rows: Mapping[str, Row] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    emptied: Sequence[Row] = ()
    absent: Mapping[str, str] = field(default_factory=dict)

    def as_json(self, dry_run: bool) -> dict[str, Any]:
        """The report for another program."""
        return {
            "dry_run": dry_run,
            "erased": sorted(self.rows),
            "kept": dict(self.kept),
            "absent": sorted(self.absent),
            "emptied_rows": len(self.emptied),
        }

    def lines(self, dry_run: bool) -> Iterator[str]:
        """The report for a person."""
        would = "would be " if dry_run else ""
        yield from (f"{identifier}: {would}erased" for identifier in sorted(self.rows))
        yield from (f"{identifier}: kept, {why}" for identifier, why in sorted(self.kept.items()))
        yield from (
            f"{identifier}: there is no such total" + (f" ({why})" if why else "")
            for identifier, why in sorted(self.absent.items())
        )
        if self.emptied:
            yield f"{number_of(len(self.emptied), 'row')} of ReduceTable {would}emptied"
        if not self.rows and not self.kept and not self.absent:
            yield "there is no such total"


class Erasure:
    """Erases totals of one aggregation."""

    def __init__(self, aggregation: Aggregation) -> None:
        self._of = aggregation
        self._dynamodb = aggregation.account.dynamodb
        self._registry = Registry(self._dynamodb, aggregation.registry_table)

    def with_key(self, name: str, text: str) -> list[str]:
        """The identifiers of all totals with that key: also of former groupings, and with nothing below them."""
        return sorted(
            row[self._of.totals_key]["S"]
            for row in every_row(self._dynamodb, self._of.totals_table)
            if row.get(KEYS, {}).get("M", {}).get(name) == {"S": text}
        )

    def look(self, identifiers: Iterable[str]) -> Result:
        """Which of the totals can be erased now. Changes nothing. Raises LedaError while a rebuild is open."""
        self._require_no_rebuild()
        wanted = list(dict.fromkeys(identifiers))
        rows = {each: row for each in wanted if (row := self._row(each)) is not None}
        live = self._of.live()
        if live.keeps_expired:
            below = self._below(set(wanted), live)
        else:
            below = {each for each, row in rows.items() if _counts(row)}
        kept = dict.fromkeys(
            below, "rows of the source table count in it: delete or change them first"
        )
        # After the totals: what they have applied by then was in a stream before.
        named = self._named()
        kept |= {
            each: f"ReduceTable's stream still names it: run {this_command()} again in a day"
            for each in wanted
            if each in named and each not in kept
        }
        free = {each for each in wanted if each not in kept}
        return Result(
            {each: row for each, row in rows.items() if each in free},
            kept,
            [row for row in every_row(self._dynamodb, self._of.reduce_table) if free & _nodes(row)],
            {each: self._impossible(each, live) for each in free if each not in rows},
        )

    def erase(self, found: Result) -> Result:
        """Erase what `look` has found. Totals that were changed since are kept."""
        emptied = [row for row in found.emptied if self._empty(row)]
        self._require_no_rebuild()
        lanes = [Lanes.parse(row["Name"]["S"]) for row in self._registry.rows(LANES)]
        erased, kept = {}, dict(found.kept)
        for identifier, row in found.rows.items():
            if self._delete(identifier, row, lanes):
                erased[identifier] = row
            else:
                kept[identifier] = f"it was changed meanwhile: run {this_command()} again"
        return Result(erased, kept, emptied, found.absent)

    def _require_no_rebuild(self) -> None:
        if self._of.open_run() is not None:
            raise LedaError(
                "a rebuild or a backfill is open, which writes every total",
                f"let it end (`{self._of.command('verify')}` says whether it has), and run {this_command()} again two "
                "days later",
            )

    def _row(self, identifier: str) -> Row | None:
        if not 0 < len(identifier.encode(errors="surrogateescape")) <= MAX_PATH_BYTES:
            # DynamoDB refuses to look for such a key.
            return None
        key = {self._of.totals_key: {"S": identifier}}
        answer = self._dynamodb.get_item(
            TableName=self._of.totals_table, Key=key, ConsistentRead=True
        )
        return answer.get("Item")

    def _impossible(self, identifier: str, live: Configuration) -> str:
        """Why no total can have this identifier, as one with a colon that is not escaped; an empty text if one can."""
        of = self._of
        try:
            TotalsReader(self._dynamodb, of.totals_table, of.totals_key, live).require_identifier(
                identifier
            )
        except LedaError as error:
            return f"{error.what}; {error.fix}"
        return ""

    def _below(self, identifiers: set[str], live: Configuration) -> set[str]:
        """Those of the totals in which rows of the source table count."""
        found: set[str] = set()

        def take(rows: Iterable[Any]) -> None:
            for row in rows:
                try:
                    added = live.contribution(row)
                except UnreadableRowError:
                    continue
                for leaf in added.leaves if added else ():
                    found.update(identifiers.intersection(live.nodes(leaf)))

        takers: list[Callable[[list[dict[str, Any]]], None]] = [take] * SEGMENTS
        keys = list(self._of.source.keys)
        scan(self._dynamodb, self._of.source.name, attributes_of(keys, live), takers)
        return found

    def _named(self) -> set[str]:
        """The totals that records of ReduceTable's streams name."""
        streams, table = self._of.account.streams, self._of.reduce_table
        current = current_stream(self._dynamodb, table)
        older = [each for each in streams_of(streams, table) if label(each) < label(current)]
        nodes = NamedNodes(streams, current, older)
        empty = 0
        while empty < EMPTY_READS:
            empty = 0 if nodes.read() else empty + 1
            time.sleep(POLL_SECONDS)
        return set(nodes.up_to(()))

    def _empty(self, row: Row) -> bool:
        """Take all sums out of a row of ReduceTable, unless Map has replaced it meanwhile."""
        return is_written(
            self._dynamodb.update_item,
            TableName=self._of.reduce_table,
            Key={name: row[name] for name in ("Lane", "Source")},
            UpdateExpression="SET #Totals = :nothing",
            ConditionExpression="#Sequence = :sequence",
            ExpressionAttributeNames={"#Totals": "Totals", "#Sequence": "Sequence"},
            ExpressionAttributeValues={":nothing": {"M": {}}, ":sequence": row["Sequence"]},
        )

    def _delete(self, identifier: str, row: Row, lanes: Iterable[Lanes]) -> bool:
        """Delete the total if its measures and checkpoints are as they were read, absent ones too."""
        applied = [each.each()[0].applied for each in lanes]
        # `m` stands for records that no stream has (leda.engine.reduce.totals).
        possible = {*applied, *(name + "m" for name in applied)}
        checked = {name for name, value in row.items() if "N" in value or lanes_of(name)}
        names = {f"#a{place}": name for place, name in enumerate(sorted(possible | checked))}
        terms = [
            f"{short} = :{short[1:]}" if name in row else f"attribute_not_exists({short})"
            for short, name in names.items()
        ]
        values = {f":{short[1:]}": row[name] for short, name in names.items() if name in row}
        return is_written(
            self._dynamodb.delete_item,
            TableName=self._of.totals_table,
            Key={self._of.totals_key: {"S": identifier}},
            ConditionExpression=" AND ".join(["attribute_exists(#key)", *terms]),
            ExpressionAttributeNames={"#key": self._of.totals_key, **names},
            **({"ExpressionAttributeValues": values} if values else {}),
        )


def _counts(row: Row) -> bool:
    """Whether a measure of the total is not 0. The only other number in its row is when it expires."""
    numbers = (value["N"] for name, value in row.items() if "N" in value and name != EXPIRES_AT)
    return any(map(Decimal, numbers))


def _nodes(row: Row) -> set[str]:
    return set(row.get("Totals", {}).get("M", {}))
