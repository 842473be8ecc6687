"""`leda totals`: reads totals, with their averages and their age, as a table, as JSON or as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from leda.engine.group_by.hierarchy import SEPARATOR
from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.operations import JsonOption, Operation
from leda_cli.base.output import LONGEST, cell, console, error_console
from leda_cli.base.terminal import shown
from leda_cli.operate.aggregation import Aggregation, MapFunctionOption
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.not_live import NotLive, not_live
from leda_cli.operate.stack import NamePrefixOption
from leda_cli.operate.totals.screen import plain_table, print_table
from leda_cli.operate.totals.totals_age import Age
from leda_cli.operate.totals.totals_reading import Found, Total, TotalsReader, average


def totals(
    identifier: Annotated[
        str | None,
        typer.Argument(help="A total's identifier, like daily:2026-08-01.", show_default=False),
    ] = None,
    grouping: Annotated[
        str | None, typer.Option("--grouping", help="Read this grouping's totals.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            help="With --grouping: the total with this key, as NAME=TEXT; once for each key of the grouping.",
        ),
    ] = None,
    children: Annotated[
        bool, typer.Option("--children", help="Read the totals right below the named one.")
    ] = False,
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            min=1,
            help="Read the first so many of the totals right below the named one, or of a grouping; with --by.",
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="The measure that orders --top, the highest first.")
    ] = None,
    averages: Annotated[
        list[str] | None,
        typer.Option(
            "--average",
            help="Show this measure divided by the number of rows, too. May be repeated.",
        ),
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="Print CSV on standard output, all else on standard error."),
    ] = False,
    map_function: MapFunctionOption = None,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """Read totals: one, its children, the first of them by a measure, a grouping, or all; each answer with its age."""
    if as_json and as_csv:
        raise LedaError("--json and --csv exclude each other", "give one of them")
    keys = _keys(key or [])
    _require_one_meaning(identifier, grouping, keys, children, top, by)
    aggregation = Aggregation.find(aws, name_prefix, map_function)
    with answering(aggregation.account.endpoint):
        live = aggregation.live()
        pending = not_live(aggregation, live)
        reader = TotalsReader(
            aggregation.account.dynamodb, aggregation.totals_table, aggregation.totals_key, live
        )
        name = grouping or (identifier or "").partition(SEPARATOR)[0]
        # One that has another definition now is kept under the former one.
        if name in pending.groupings and name not in reader.groupings:
            raise LedaError(
                f"the grouping {name} is deployed and not live yet", f"run `{pending.command}`"
            )
        _require_measures(reader, averages or [], by, aggregation)
        # Before the totals are read: a change that comes meanwhile makes them younger, not older.
        age = None if pending.is_first else aggregation.age(live)
        found = _read(reader, identifier, grouping, keys, children, top, by)
        # After they were read: a run that began to move Map's rows in between has changed none of them yet.
        run = aggregation.open_run()
    if run is not None and run.is_moving:
        age = (
            f"a {run.name} is at work or was stopped before its end, and until it ends totals may be wrong; if it was "
            f"stopped, run `{aggregation.command(run.name)}`"
        )
    answer = Answer(found, reader.measures, averages or [], reader.count or "", age, pending)
    if as_csv:
        answer.write_csv()
    elif as_json:
        Operation(as_json=True).report(answer.as_json(), [])
    else:
        answer.print()


def _keys(given: Sequence[str]) -> Mapping[str, str]:
    """The texts of a total's keys by their names. Raises LedaError for an option that is not NAME=TEXT."""
    parts = [each.partition("=") for each in given]
    if wrong := [name for name, separator, _ in parts if not separator]:
        raise LedaError(f"--key {wrong[0]} has no =", "write it as NAME=TEXT")
    found = {name: text for name, _, text in parts}
    if len(found) < len(parts):
        raise LedaError("a --key is given twice", "give each key of the grouping once")
    return found


def _require_one_meaning(
    identifier: str | None,
    grouping: str | None,
    keys: Mapping[str, str],
    children: bool,
    top: int | None,
    by: str | None,
) -> None:
    """Raise LedaError where the options do not go together."""
    if identifier == "":
        raise LedaError("an identifier is not empty", "give a total's identifier, or leave it out")
    if identifier is not None and grouping is not None:
        raise LedaError(
            "an identifier and --grouping exclude each other",
            "an identifier begins with its grouping's name: give one of them",
        )
    if keys and grouping is None:
        raise LedaError("--key names a key of a grouping", "give --grouping, too")
    if (top is None) != (by is None):
        raise LedaError("--top and --by go together", "say how many, and by which measure")
    if children and top is not None:
        raise LedaError("--children and --top exclude each other", "--top reads children, too")


def _require_measures(
    reader: TotalsReader, averages: Sequence[str], by: str | None, aggregation: Aggregation
) -> None:
    """Raise LedaError for a measure that there is not."""
    sums = [name for name in reader.measures if name != reader.count]
    asked = [("--average", name, sums, "sum") for name in averages]
    if by is not None:
        asked.append(("--by", by, [*reader.measures], "measure"))
    for option, name, known, kind in asked:
        if name not in known:
            raise LedaError(
                f"{option} {name}: the live configuration has no such {kind}",
                f"name one of {', '.join(known)}" if known else f"it has no {kind} at all",
            )
    if averages and reader.count is None:
        raise LedaError(
            "an average needs a measure that counts the rows, and there is none",
            'add one to the module\'s `measures`, like Count = { op = "count" }, and run '
            f"`{aggregation.command('backfill')}`",
        )


def _read(
    reader: TotalsReader,
    node: str | None,
    grouping: str | None,
    keys: Mapping[str, str],
    children: bool,
    top: int | None,
    by: str | None,
) -> Found:
    """Read what the options ask for; `node` is an identifier, or else `grouping` with `keys` names one.

    Raises LedaError where there is no such grouping or key, or the client's error.
    """
    if grouping is not None and keys:
        node = reader.identifier(grouping, keys)
    is_below = top is not None or children
    # A grouping's name stands above the totals of its first key.
    if node is not None and not (is_below and node in reader.groupings):
        reader.require_identifier(node)
    if not is_below:
        return reader.whole(grouping) if node is None else reader.one(node)
    if node is None and grouping is None and reader.groupings:
        raise LedaError(
            "--children and --top need a grouping or a node",
            f"give --grouping with one of {', '.join(reader.groupings)}",
        )
    if node is None and grouping is not None:
        node = reader.require(grouping).name
    if top is not None and by is not None:
        return reader.top(node or "", by, top)
    return reader.children(node or "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the command prints.

    count: the measure by which the sums are divided for the averages.
    age: None before the first backfill, and a text where it cannot be told.
    """

    found: Found
    measures: Sequence[str]
    averages: Sequence[str]
    count: str
    age: Age | str | None
    pending: NotLive

    def as_json(self) -> dict[str, Any]:
        """The answer for another program. Numbers of DynamoDB are strings, so that no digit is lost."""
        age: dict[str, Any] = dict.fromkeys(("seconds", "map_seconds", "reduce_seconds", "unknown"))
        if isinstance(self.age, Age):
            age |= {
                "seconds": self.age.seconds,
                "map_seconds": self.age.of_map,
                "reduce_seconds": self.age.of_reduce,
            }
        else:
            age["unknown"] = self.age or "no configuration is live"
        return {
            "age": age,
            "notes": [*self.pending.lines()],
            "read": {
                "from": self.found.source,
                "rows": self.found.rows,
                "read_units": self.found.units,
            },
            "totals": [
                {
                    "identifier": total.identifier,
                    "grouping": total.grouping,
                    "keys": total.keys,
                    "measures": total.amounts,
                    "averages": self._averages(total),
                }
                for total in self.found.totals
            ],
        }

    def lines(self) -> Iterator[str]:
        """What is said of the totals as a whole: their number, their age, what reading them took, what is not live."""
        if not self.found.totals and not self.pending.is_first:
            yield "no such total: no row counts there"
        yield self._age_line()
        units = "" if self.found.units is None else f", {number_of(self.found.units, 'read unit')}"
        yield f"read from {self.found.source}: {number_of(self.found.rows, 'row')}{units}"
        if self.found.is_of_index:
            yield "an index follows its table, within a second as a rule"
        yield from self.pending.lines()

    def _age_line(self) -> str:
        if self.age is None:
            return "no age: nothing was counted yet"
        if isinstance(self.age, str):
            return f"age not known: {self.age}"
        stages = [
            f"{seconds:,.1f} s for {stage}"
            for stage, seconds in (("Map", self.age.of_map), ("Reduce", self.age.of_reduce))
            if seconds is not None
        ]
        if not stages:
            return "age 0 s: no change waits"
        return f"age {self.age.seconds:,.1f} s: the oldest change that may be missing waits {', '.join(stages)}"

    def print(self) -> None:
        """Print the totals as a table, and the lines below."""
        if self.found.totals:
            print_table(console, self._table())
        for line in self.lines():
            console.print(f"    {escape(shown(line))}")

    def _table(self) -> Table:
        keys = self._keys()
        table = plain_table()
        for name in keys or ["total"]:
            table.add_column(cell(name), overflow="fold", max_width=LONGEST)
        for name in self._headings():
            table.add_column(cell(name), justify="right", no_wrap=True)
        for total in self.found.totals:
            # An empty text is seen, and not taken for the level above, which lacks the key.
            texts = [
                total.keys.get(name, "") or ('""' if name in total.keys else "") for name in keys
            ]
            names = texts if keys else [total.identifier]
            table.add_row(*map(cell, names), *(f"{each:,f}" for each in self._numbers(total)))
        return table

    def write_csv(self) -> None:
        """Write the totals to standard output, and the lines to standard error.

        Off a terminal each text is written as it is; on one, without control characters.
        """
        text = shown if sys.stdout.isatty() else str
        keys = self._keys()
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(map(text, ("Identifier", *keys, *self._headings())))
        for total in self.found.totals:
            names = (total.identifier, *(total.keys.get(name, "") for name in keys))
            writer.writerow([*map(text, names), *(f"{each:f}" for each in self._numbers(total))])
        for line in self.lines():
            error_console.print(f"    {escape(shown(line))}")

    def _keys(self) -> list[str]:
        """The names of the keys where all totals are of one grouping; else the identifier must do."""
        if len({total.grouping for total in self.found.totals}) != 1:
            return []
        return list(dict.fromkeys(name for total in self.found.totals for name in total.keys))

    def _headings(self) -> list[str]:
        return [*self.measures, *(f"{name} average" for name in self.averages)]

    def _averages(self, total: Total) -> Mapping[str, Decimal]:
        return {name: average(total, name, self.count) for name in self.averages}

    def _numbers(self, total: Total) -> list[Decimal]:
        averages = self._averages(total).values()
        return [*(total.amounts[name] for name in self.measures), *averages]
