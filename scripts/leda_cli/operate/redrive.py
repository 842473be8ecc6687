"""`leda redrive`: list what could not be processed, look at it, put it back after a fix."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeGuard

import typer

from leda.engine.registry import Registry
from leda_cli.base.errors import LedaError
from leda_cli.base.operations import DryRunOption, JsonOption, Operation
from leda_cli.operate.aggregation import Aggregation, MapFunctionOption
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.not_live import not_live
from leda_cli.operate.quarantine import redrive_report as report
from leda_cli.operate.quarantine.missing_effects import effects_today
from leda_cli.operate.quarantine.put_back import Became, Outcome, PutBack
from leda_cli.operate.quarantine.quarantined import Bucket, Filter, Foreign, GivenUp, Kept
from leda_cli.operate.stack import NamePrefixOption, Stack
from leda_cli.operate.verify import Verdict, compared, require_comparable, running

FRESH_SECONDS = 30.0
"""How long a change may take to reach its totals, as `leda verify` has it."""


class Stage(enum.StrEnum):
    """Whose records."""

    STATE = "state"
    MAP = "map"
    REDUCE = "reduce"


def redrive(
    put_back: Annotated[
        bool,
        typer.Option(
            "--put-back",
            help="Give the pipeline's messages to StateLambda again; what is stored leaves.",
        ),
    ] = False,
    settle: Annotated[
        bool,
        typer.Option(
            "--settle",
            help="Compare all totals with the source table; if each is exact, Map's and Reduce's records leave.",
        ),
    ] = False,
    show: Annotated[
        str | None, typer.Option(metavar="KEY", help="Show one object in full, its data decoded.")
    ] = None,
    function: Annotated[
        Stage | None, typer.Option(help="Only what this function could not process.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only from this day (UTC) on.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only up to this day (UTC).")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Only where the reason has this text in it, in any case.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="Only the object with this key; may be repeated.")
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    map_function: MapFunctionOption = None,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """List what could not be processed; put it back after a fix. Exit status 1 while anything is left."""
    if put_back + settle + (show is not None) > 1:
        raise LedaError(
            "--put-back, --settle and --show exclude each other", "give one of them at a time"
        )
    if since and until and since > until:
        raise LedaError(
            f"--since {since:%Y-%m-%d} is after --until {until:%Y-%m-%d}", "exchange the two days"
        )
    aggregation = Aggregation.find(aws, name_prefix, map_function)
    operation = Operation(as_json)
    wanted = Filter(
        function.value if function else None,
        since.date() if since else None,
        until.date() if until else None,
        reason,
        frozenset(key or ()),
    )
    bucket = aggregation.quarantine
    with answering(aggregation.account.endpoint):
        if show is not None:
            _show(aggregation, bucket, show, operation)
            return
        keys = bucket.keys(wanted=wanted)
        if lacking := wanted.keys - set(keys):
            days = " on these days" if since or until else ""
            raise LedaError(
                f"no object {min(lacking)} in the bucket {bucket.name}{days}",
                f"list them: `{aggregation.command('redrive')}`",
            )
        selected = _Selected(aggregation, bucket, keys, wanted, operation)
        if put_back:
            is_empty = selected.put_back(dry_run)
        elif settle:
            is_empty = selected.settle(dry_run)
        else:
            is_empty = selected.list_objects()
    if not is_empty:
        raise typer.Exit(1)


@dataclasses.dataclass(frozen=True, slots=True)
class _Selected:
    """The objects that the options select. `keys` may have more: a filter by reason needs the object itself."""

    aggregation: Aggregation
    bucket: Bucket
    keys: Sequence[str]
    wanted: Filter
    operation: Operation

    def list_objects(self) -> bool:
        """Report the objects; returns whether there are none."""
        self.operation.heading(f"What could not be processed, in {self.bucket.name}")
        kept, foreign = self._read()
        today = effects_today(self.aggregation, _downstream(kept))
        result = report.result(self.bucket.name, "list", False, kept, foreign, today)
        is_comparable = not today or self._is_comparable()
        lines = report.list_lines(result, self.aggregation.command, is_comparable=is_comparable)
        self.operation.report(result, lines)
        return not kept and not foreign

    def put_back(self, dry_run: bool) -> bool:
        """Put State's messages back; returns whether nothing is left."""
        work = _work(self.aggregation, self.bucket)
        state = self.aggregation.functions["state"]
        self.operation.heading(f"Giving what is in {self.bucket.name} to {state} again")
        kept: list[Kept] = []
        foreign: list[Foreign] = []
        messages: list[Became] = []
        with self.operation.progress("objects", len(self.keys)) as advance:

            def of_state() -> Iterator[Kept]:
                for found in self.bucket.read_all(self.keys):
                    if self.wanted.means(found) and _is_states(found):
                        yield found
                        continue
                    advance()
                    if self.wanted.means(found):
                        foreign.append(found) if isinstance(found, Foreign) else kept.append(found)

            for became in work.expect(of_state()) if dry_run else work.run(of_state()):
                messages += became
                advance()
        today = effects_today(self.aggregation, kept)
        result = report.result(
            self.bucket.name, "put back", dry_run, kept, foreign, today, messages
        )
        self.operation.report(result, report.put_back_lines(result, self.aggregation.command))
        is_done = not dry_run and all(
            each.outcome in (Outcome.STORED, Outcome.SUPERSEDED) for each in messages
        )
        return not kept and not foreign and (is_done or not messages)

    def settle(self, dry_run: bool) -> bool:
        """Clear Map's and Reduce's records if no total lacks them; returns whether none of them is left.

        Totals that keep expired rows cannot be compared. Then only those changes are cleared that the rows of the
        source table say no total lacks. No rebuild can compute these totals again after a table has got a new stream,
        so without a filter the streams are settled, and the report says what the totals may lack.
        """
        self.operation.heading(
            f"Clearing what Map and Reduce could not process, in {self.bucket.name}"
        )
        # Read before the comparison: records that are quarantined during the comparison are not judged by it, and stay.
        found, foreign = self._read()
        kept = _downstream(found)
        today = effects_today(self.aggregation, kept)
        verdict: Verdict | None = None
        is_exact: bool | None = None
        streams: list[dict[str, Any]] = []
        if self._is_comparable():
            verdict = _compare(self.aggregation, self.operation) if kept else None
            is_exact = verdict is None or not (verdict.wrong or verdict.in_flight)
            settled = [each.key for each in kept if is_exact and not today[each.key].is_open]
        else:
            settled = [each.key for each in kept if today[each.key].is_counted]
            if self.wanted == Filter():
                streams = self._settle_streams(dry_run)
        if not dry_run:
            self.bucket.delete(settled)
        left = [each for each in kept if each.key not in set(settled)]
        result = report.result(
            self.bucket.name,
            "settle",
            dry_run,
            left,
            foreign,
            today,
            settled=settled,
            is_exact=is_exact,
            comparison=verdict.as_json() if verdict else None,
            streams=streams,
        )
        lines = verdict.lines() if verdict else ()
        self.operation.report(result, report.settle_lines(result, lines, self.aggregation.command))
        is_settled = all(each["is_settled"] for each in streams)
        return not left and not foreign and is_settled and not (dry_run and (settled or streams))

    def _settle_streams(self, dry_run: bool) -> list[dict[str, Any]]:
        """Settle the tables' new streams, and return what the report says of each. Raises LedaError."""
        of = self.aggregation
        unsettled = of.unsettled_streams()
        if unsettled and (run := of.open_run()):
            raise LedaError(
                f"a {run.name} is open, which settles the tables' streams at its end",
                f"let it end, or run `{of.command(run.name)}` if it was stopped",
            )
        streams = []
        for stage, stream in unsettled.items():
            # Map loses changes until it reads the stream. Reduce was found by the stream that it reads.
            is_read = stream in of.map_mappings.values() if stage == "map" else stream != ""
            if is_read and not dry_run:
                Registry(of.account.dynamodb, of.registry_table).settle_stream(stage, stream)
            says = of.accepted(stage, stream) if is_read else of.unsettled(stage, stream)
            streams.append({"stream": stream, "is_settled": is_read, "says": says})
        return streams

    def _is_comparable(self) -> bool:
        """Whether the totals can be compared with a sum over the source table."""
        return not self.aggregation.live().keeps_expired

    def _read(self) -> tuple[list[Kept], list[Foreign]]:
        """Read the objects, without the data of State's, which a report does not need."""
        kept: list[Kept] = []
        foreign: list[Foreign] = []
        with self.operation.progress("objects", len(self.keys)) as advance:
            for found in self.bucket.read_all(self.keys):
                advance()
                if not self.wanted.means(found):
                    continue
                if isinstance(found, Foreign):
                    foreign.append(found)
                elif isinstance(found, GivenUp):
                    kept.append(dataclasses.replace(found, records=None))
                elif found.stage == Stage.STATE:
                    kept.append(dataclasses.replace(found, data=b""))
                else:
                    kept.append(found)
        return kept, foreign


def _compare(aggregation: Aggregation, operation: Operation) -> Verdict:
    """What `leda verify --while-running` finds."""
    live = aggregation.live()
    require_comparable(live, not_live(aggregation, live))
    operation.heading(
        f"Comparing {aggregation.totals_table} with the sum over {aggregation.source.name}"
    )
    return compared(aggregation, live, operation, running, FRESH_SECONDS)


def _show(aggregation: Aggregation, bucket: Bucket, key: str, operation: Operation) -> None:
    """Say everything about one object."""
    # S3 has no empty key, and refuses to look for one.
    found = bucket.read(key) if key else None
    if found is None:
        raise LedaError(
            f"no object {key or 'without a name'} in the bucket {bucket.name}",
            f"list them: `{aggregation.command('redrive')}`",
        )
    if isinstance(found, Foreign):
        raise LedaError(f"{key} is not an object of LEDA's that can be read: {found.reason}")
    if _is_states(found):
        (became,) = _work(aggregation, bucket).expect([found])
        result = report.detail(found, expected=[report.message(each) for each in became])
    else:
        result = report.detail(found, today=effects_today(aggregation, [found])[key].text)
    operation.report(result, report.detail_lines(result))


def _work(aggregation: Aggregation, bucket: Bucket) -> PutBack:
    stack = aggregation.account
    if not isinstance(stack, Stack):
        table = aggregation.source.name
        raise LedaError(
            f"{aggregation.map_function} counts the rows of {table}, so there are no messages to put back",
            f"correct the row in {table}, which counts it; then run "
            f"`{aggregation.command('redrive')} --settle`",
        )
    return PutBack(stack, bucket)


def _is_states(found: Kept | Foreign) -> TypeGuard[Kept]:
    return not isinstance(found, Foreign) and found.stage == Stage.STATE


def _downstream(kept: Sequence[Kept]) -> list[Kept]:
    return [each for each in kept if not _is_states(each)]
