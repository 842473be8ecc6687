"""`leda replay`: gives the records of the Kinesis stream, from a time on, to StateLambda again.

An operator runs it when records have passed the event source mapping and are not in StateTable: rows were lost, a batch
was given up and is in no bucket, or a bug of StateLambda has been corrected. The mapping stays on. StateLambda's writes
are conditional (operate/quarantine/state_events.py), so a record that StateTable has already changes neither the table
nor a total.
"""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.operations import DryRunOption, JsonOption, Operation
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.deployed.kinesis_shards import Cursor, shard_ids
from leda_cli.operate.quarantine.quarantined import Bucket
from leda_cli.operate.quarantine.state_events import (
    Deployed,
    Failure,
    Record,
    StateFunction,
    batches,
    of_stream,
)
from leda_cli.operate.stack import NamePrefixOption, Stack, stack_options

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

TRIM_HORIZON = "TRIM_HORIZON"
SHOWN = 20
"""Records that failed, named in the report for people."""

_DURATION = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime, option: str) -> datetime:
    """The time that an option means: ISO 8601 with a zone, or how long ago (90s, 15m, 6h, 2d). Raises LedaError."""
    try:
        if match := _DURATION.fullmatch(text):
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except ValueError:
        pass
    except OverflowError as error:
        raise LedaError(
            f"{option} is {text!r}, which is too long ago",
            "give a later time, or TRIM_HORIZON for all that the stream still has",
        ) from error
    raise LedaError(
        f"{option} is {text!r}, which is not a time with a zone",
        "write 2026-03-07T12:00:00Z, 2026-03-07T13:00+01:00, or how long ago: 90s, 15m, 6h, 2d",
    )


@dataclass(slots=True)
class Seen:
    """What a replay has read, and what StateLambda did with it."""

    shards: int = 0
    records: int = 0
    bytes: int = 0
    first: datetime | None = None
    last: datetime | None = None
    invocations: int = 0
    failed: list[Failure] = field(default_factory=list)

    def take(self, page: Sequence[RecordTypeDef]) -> None:
        """Count records that were read."""
        self.records += len(page)
        self.bytes += sum(len(each["Data"]) for each in page)
        for each in page:
            arrived = each["ApproximateArrivalTimestamp"]
            self.first = min(self.first or arrived, arrived)
            self.last = max(self.last or arrived, arrived)


def pages(
    cursors: Sequence[Cursor],
    until: datetime,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[str, list[RecordTypeDef]]]:
    """The records of all shards that arrived no later than `until`: (shard, records), the shards in turn.

    A shard is read until its end, until nothing more is there, or until a record that arrived later.
    """
    queue = [(cursor.ready, place) for place, cursor in enumerate(cursors)]
    heapq.heapify(queue)
    while queue:
        ready, place = heapq.heappop(queue)
        if (wait := ready - clock()) > 0:
            pause(wait)
        cursor = cursors[place]
        read = cursor.read()
        page = [each for each in read if each["ApproximateArrivalTimestamp"] <= until]
        if page:
            yield cursor.shard, page
        if not cursor.is_at_end and len(page) == len(read):
            heapq.heappush(queue, (cursor.ready, place))


def replay(
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            help="Replay what arrived since: 2026-03-07T12:00:00Z, how long ago (90s, 15m, 6h, 2d), or "
            "TRIM_HORIZON for all that the stream still has.",
        ),
    ],
    until: Annotated[
        str | None,
        typer.Option(
            help="Replay what arrived until then; written like --from.", show_default="now"
        ),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """Feed the Kinesis stream from a time on through StateLambda again; totals stay exact, nothing is paused."""
    now = datetime.now(UTC)
    since = None if from_ == TRIM_HORIZON else moment(from_, now, "--from")
    end = now if until is None else moment(until, now, "--until")
    if since is not None and since >= end:
        raise LedaError(f"--from {from_} is not before {end:%Y-%m-%d %H:%M:%S} UTC")
    stack = Stack.find(aws, name_prefix)
    operation = Operation(as_json)
    operation.heading(f"Replaying {stack.stream} through {stack.functions['state']}")
    with answering(stack.endpoint):
        kept_since = _kept_since(stack, now)
        before = _quarantined(stack)
        seen = _run(stack, since, end, dry_run, operation)
        after = _quarantined(stack)
    gone_before = kept_since if since is not None and since < kept_since else None
    result: dict[str, Any] = {
        "stream": stack.stream,
        "from": from_,
        "until": end.isoformat(),
        "dry_run": dry_run,
        "shards": seen.shards,
        "records": seen.records,
        "bytes": seen.bytes,
        "first_arrival": seen.first.isoformat() if seen.first else None,
        "last_arrival": seen.last.isoformat() if seen.last else None,
        "gone_before": gone_before.isoformat() if gone_before else None,
        "invocations": seen.invocations,
        "failed": [
            {"event_id": failure.record["eventID"], "reason": failure.reason}
            for failure in seen.failed
        ],
        "newly_quarantined": len(after - before),
    }
    operation.report(result, _lines(result, stack_options(aws, name_prefix)))
    if seen.failed or gone_before:
        raise typer.Exit(1)


def _run(
    stack: Stack, since: datetime | None, until: datetime, dry_run: bool, operation: Operation
) -> Seen:
    """Read all shards and, unless it is a dry run, deliver what they have."""
    start: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
    if since is not None:
        start = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": since}
    cursors = [
        Cursor(stack.kinesis, stack.stream, shard, start)
        for shard in shard_ids(stack.kinesis, stack.stream)
    ]
    seen = Seen(shards=len(cursors))
    if dry_run:
        with operation.progress("records read") as advance:
            for _, page in pages(cursors, until):
                seen.take(page)
                advance(len(page))
        return seen
    deployed = Deployed.of(stack)
    stream = stack.kinesis.describe_stream_summary(StreamName=stack.stream)
    arn = stream["StreamDescriptionSummary"]["StreamARN"]

    def events() -> Iterator[list[Record]]:
        for shard, page in pages(cursors, until):
            seen.take(page)
            yield from batches(of_stream(each, arn, shard, deployed.role) for each in page)

    with operation.progress("records delivered") as advance:
        for delivered in StateFunction(stack.lambdas, deployed.name).deliver_all(events()):
            seen.invocations += delivered.invocations
            seen.failed += delivered.failed
            advance(len(delivered.records))
    return seen


def _kept_since(stack: Stack, now: datetime) -> datetime:
    """Since when the stream can have lost nothing: its retention's begin, or its own."""
    summary = stack.kinesis.describe_stream_summary(StreamName=stack.stream)
    found = summary["StreamDescriptionSummary"]
    begin = now - timedelta(hours=found["RetentionPeriodHours"])
    # Before the stream was made there was nothing to lose.
    created = found["StreamCreationTimestamp"].astimezone(UTC)
    return begin if created < begin else datetime.min.replace(tzinfo=UTC)


def _quarantined(stack: Stack) -> set[str]:
    """The keys of the messages that StateLambda has quarantined."""
    bucket = Bucket(stack.s3, stack.quarantine_bucket, stack.functions)
    return set(bucket.keys(f"{stack.functions['state']}/"))


def _lines(result: Mapping[str, Any], options: str) -> Iterator[str]:
    """The report; `options` find the stack, as they follow the commands that come next."""
    yield (
        f"{number_of(result['records'], 'record')} ({number_of(result['bytes'], 'byte')}) of "
        f"{number_of(result['shards'], 'shard')}"
        + (
            f", arrived {result['first_arrival']} to {result['last_arrival']}"
            if result["records"]
            else ""
        )
    )
    if result["gone_before"]:
        yield (
            f"what arrived before {result['gone_before']} is gone: the stream keeps records for its retention time "
            "only (stream_retention_hours), so the producers must send these messages again"
        )
    if result["dry_run"]:
        yield "nothing was delivered: a dry run"
        return
    failed = number_of(len(result["failed"]), "record")
    yield f"{number_of(result['invocations'], 'invocation')}, {failed} not taken"
    for failure in result["failed"][:SHOWN]:
        yield f"not taken: {failure['event_id']}: {failure['reason']}"
    if result["newly_quarantined"]:
        yield (
            number_of(result["newly_quarantined"], "more record is", "more records are")
            + " in quarantine than before: look at them with "
            f"`leda redrive{options} --function state`"
        )
    yield f"next: `leda verify{options}` compares the totals, once they no longer change"
