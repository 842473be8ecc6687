"""`leda redrive`: list what could not be processed, look at it, put it back after a fix."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, TypeGuard

import typer

from leda_cli.base.errors import LedaError
from leda_cli.base.operations import DryRunOption, JsonOption, Operation
from leda_cli.operate import redrive_report as report
from leda_cli.operate.account import AwsOption, answering
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.missing_effects import effects_today
from leda_cli.operate.put_back import Became, Outcome, PutBack
from leda_cli.operate.quarantined import Bucket, Filter, Foreign, GivenUp, Kept
from leda_cli.operate.stack import NamePrefixOption, Stack
from leda_cli.operate.state_events import Deployed, StateFunction
from leda_cli.operate.verify import Verdict, running

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
            "--put-back", help="Give State's messages to StateLambda again; what is stored leaves."
        ),
    ] = False,
    settle: Annotated[
        bool,
        typer.Option(
            "--settle",
            help="Compare all totals with StateTable; if each is exact, Map's and Reduce's records leave.",
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
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """List what could not be processed; put it back after a fix. Exit status 1 while anything is left."""
    if put_back + settle + (show is not None) > 1:
        raise LedaError(
            "--put-back, --settle and --show exclude each other", "do one after another"
        )
    stack = Stack.find(aws, name_prefix)
    operation = Operation(as_json)
    wanted = Filter(
        function.value if function else None,
        since.date() if since else None,
        until.date() if until else None,
        reason,
        frozenset(key or ()),
    )
    with answering(stack.endpoint):
        bucket = Bucket(stack)
        if show is not None:
            _show(stack, bucket, show, operation)
            return
        keys = bucket.keys(wanted=wanted)
        if lacking := wanted.keys - set(keys):
            raise LedaError(
                f"no object {min(lacking)} in the bucket {bucket.name} (and those days)"
            )
        if put_back:
            is_empty = _put_back(stack, bucket, keys, wanted, dry_run, operation)
        elif settle:
            is_empty = _settle(stack, bucket, keys, wanted, dry_run, operation)
        else:
            is_empty = _list(stack, bucket, keys, wanted, operation)
    if not is_empty:
        raise typer.Exit(1)


def _list(
    stack: Stack, bucket: Bucket, keys: Sequence[str], wanted: Filter, operation: Operation
) -> bool:
    """Say what is there; whether that is nothing."""
    operation.heading(f"What could not be processed, in {bucket.name}")
    kept, foreign = _read(bucket, keys, wanted, operation)
    today = effects_today(stack, _downstream(kept))
    result = report.result(bucket.name, "list", False, kept, foreign, today)
    operation.report(result, report.list_lines(result))
    return not kept and not foreign


def _put_back(
    stack: Stack,
    bucket: Bucket,
    keys: Sequence[str],
    wanted: Filter,
    dry_run: bool,
    operation: Operation,
) -> bool:
    """Put State's messages back; whether nothing is left."""
    work = _work(stack, bucket)
    operation.heading(f"Giving what is in {bucket.name} to {stack.functions['state']} again")
    kept: list[Kept] = []
    foreign: list[Foreign] = []
    messages: list[Became] = []
    with operation.progress("objects", len(keys)) as advance:

        def of_state() -> Iterator[Kept]:
            for found in bucket.read_all(keys):
                if wanted.means(found) and _is_states(found):
                    yield found
                    continue
                advance()
                if wanted.means(found):
                    foreign.append(found) if isinstance(found, Foreign) else kept.append(found)

        for became in work.expect(of_state()) if dry_run else work.run(of_state()):
            messages += became
            advance()
    today = effects_today(stack, kept)
    result = report.result(bucket.name, "put back", dry_run, kept, foreign, today, messages)
    operation.report(result, report.put_back_lines(result))
    is_done = not dry_run and all(
        each.outcome in (Outcome.STORED, Outcome.SUPERSEDED) for each in messages
    )
    return not kept and not foreign and (is_done or not messages)


def _settle(
    stack: Stack,
    bucket: Bucket,
    keys: Sequence[str],
    wanted: Filter,
    dry_run: bool,
    operation: Operation,
) -> bool:
    """Clear Map's and Reduce's records if nothing is missing; whether nothing of them is left."""
    operation.heading(f"Clearing what Map and Reduce could not process, in {bucket.name}")
    # Read before the comparison: what is quarantined while it runs is not judged by it, and stays.
    found, foreign = _read(bucket, keys, wanted, operation)
    kept = _downstream(found)
    today = effects_today(stack, kept)
    verdict = _compare(stack, operation) if kept else None
    is_exact = verdict is None or not (verdict.wrong or verdict.in_flight)
    settled = [each.key for each in kept if is_exact and not today[each.key].is_open]
    if not dry_run:
        bucket.delete(settled)
    left = [each for each in kept if each.key not in set(settled)]
    result = report.result(
        bucket.name,
        "settle",
        dry_run,
        left,
        foreign,
        today,
        settled=settled,
        is_exact=is_exact,
        comparison=verdict.as_json() if verdict else None,
    )
    operation.report(result, report.settle_lines(result, verdict.lines() if verdict else ()))
    return not left and not foreign and not (dry_run and settled)


def _compare(stack: Stack, operation: Operation) -> Verdict:
    """What `leda verify --while-running` finds."""
    operation.heading(f"Comparing {stack.aggregate_table} with the sum over {stack.state_table}")
    with operation.progress("adding up trades until the totals are told apart") as advance:
        aggregation = Aggregation.of_function(stack, stack.functions["map"])
        return running(aggregation.both_sides(aggregation.live(), advance), FRESH_SECONDS)


def _show(stack: Stack, bucket: Bucket, key: str, operation: Operation) -> None:
    """Say everything about one object."""
    found = bucket.read(key)
    if found is None:
        raise LedaError(f"no object {key} in the bucket {bucket.name}", "list them: leda redrive")
    if isinstance(found, Foreign):
        raise LedaError(f"{key} is not an object of LEDA's that can be read: {found.reason}")
    if _is_states(found):
        (became,) = _work(stack, bucket).expect([found])
        result = report.detail(found, expected=[report.message(each) for each in became])
    else:
        result = report.detail(found, today=effects_today(stack, [found])[key].text)
    operation.report(result, report.detail_lines(result))


def _work(stack: Stack, bucket: Bucket) -> PutBack:
    deployed = Deployed.of(stack)
    return PutBack(stack, bucket, deployed, StateFunction(stack.lambdas, deployed.name))


def _read(
    bucket: Bucket, keys: Sequence[str], wanted: Filter, operation: Operation
) -> tuple[list[Kept], list[Foreign]]:
    """The objects that are meant, without the data of State's, which a report does not need."""
    kept: list[Kept] = []
    foreign: list[Foreign] = []
    with operation.progress("objects", len(keys)) as advance:
        for found in bucket.read_all(keys):
            advance()
            if not wanted.means(found):
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


def _is_states(found: Kept | Foreign) -> TypeGuard[Kept]:
    return not isinstance(found, Foreign) and found.stage == Stage.STATE


def _downstream(kept: Sequence[Kept]) -> list[Kept]:
    return [each for each in kept if not _is_states(each)]
