"""What `leda redrive` says: the same for people, in lines, and for programs, as JSON."""

from __future__ import annotations

import base64
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from leda.values.texts import number_of
from leda_cli.operate.quarantine.missing_effects import Today
from leda_cli.operate.quarantine.put_back import Became, Outcome
from leda_cli.operate.quarantine.quarantined import Foreign, GivenUp, Kept, Quarantined
from leda_cli.operate.stack import STAGES

Command = Callable[[str], str]
"""`leda` with the name of a command, and the options with which it finds the same totals."""
SHOWN = 20
"""Objects and messages that are named to people; JSON names all."""
SHOWN_CHARACTERS = 2000
"""Of a message's text; JSON has all of it."""


def result(
    bucket: str,
    action: str,
    dry_run: bool,
    kept: Sequence[Kept],
    foreign: Sequence[Foreign],
    today: Mapping[str, Today],
    messages: Iterable[Became] = (),
    **more: object,
) -> dict[str, Any]:
    """The report as JSON: `messages` is what became of each, `objects` what is (still) there."""
    became = [message(each) for each in messages]
    return {
        "bucket": bucket,
        "action": action,
        "dry_run": dry_run,
        **more,
        "outcomes": dict(Counter(each["outcome"] for each in became)),
        "messages": became,
        "objects": [_object(each, today.get(each.key)) for each in kept],
        "foreign": [dataclasses.asdict(each) for each in foreign],
    }


def message(became: Became) -> dict[str, Any]:
    """One message's outcome as JSON."""
    return dataclasses.asdict(became) | {"outcome": became.outcome.value}


def detail(kept: Kept, **more: object) -> dict[str, Any]:
    """One object as JSON, with its data: base64, and as text where it is UTF-8."""
    found = dataclasses.asdict(kept) | _object(kept, None) | more
    if isinstance(kept, Quarantined):
        found["data"] = base64.b64encode(kept.data).decode()
        try:
            found["text"] = kept.data.decode()
        except UnicodeDecodeError:
            found["text"] = None
    return found


def _object(kept: Kept, today: Today | None) -> dict[str, Any]:
    found = {
        "key": kept.key,
        "stage": kept.stage,
        "kind": "batch" if isinstance(kept, GivenUp) else "record",
        "records": kept.count if isinstance(kept, GivenUp) else 1,
        "reason": kept.reason,
        "arrived": kept.arrived.isoformat() if kept.arrived else None,
    }
    return found | ({"today": today.text} if today else {})


def list_lines(
    report: Mapping[str, Any], command: Command, *, is_comparable: bool = True
) -> Iterator[str]:
    """What is there: counted by reason, then named, then what can be done about it."""
    objects, foreign = report["objects"], report["foreign"]
    if not objects and not foreign:
        yield "nothing"
        return
    counts: dict[tuple[str, str, str], list[int]] = {}
    for each in objects:
        counts.setdefault((each["stage"], each["kind"], each["reason"]), []).append(each["records"])
    for (stage, kind, reason), records in sorted(
        counts.items(), key=lambda item: (STAGES.index(item[0][0]), -len(item[1]))
    ):
        what = number_of(len(records), "record")
        if kind == "batch":
            batches = number_of(len(records), "batch", "batches")
            what = f"{batches} given up, {number_of(sum(records), 'record')}"
        yield f"{stage:<6} {what}: {reason}"
    yield from _named(
        [f"{each['key']}  {each.get('today') or each['reason']}" for each in objects], "object"
    )
    yield from _foreign_lines(foreign)
    yield f"next: `{command('redrive')} --show KEY` shows one"
    if any(each["stage"] == "state" for each in objects):
        yield f"State's: after a fix, `{command('redrive')} --put-back`"
    if is_comparable:
        yield from _downstream_hint(objects, command)
    else:
        yield (
            "Map's and Reduce's are not delivered again. Correct the row of a change that Map could not count: that "
            f"counts it, and `{command('redrive')} --settle` clears the change. The others stay: the totals keep "
            "expired rows, so nothing can be compared"
        )


def put_back_lines(report: Mapping[str, Any], command: Command) -> Iterator[str]:
    """What each message became: counted, and named where it is not done with."""
    outcomes = report["outcomes"]
    if not report["messages"]:
        yield "no message of State's is there"
    for outcome in Outcome:
        if outcome.value in outcomes:
            would = "would be " if report["dry_run"] else ""
            yield f"{outcomes[outcome.value]:>7,} {would}{outcome.value}"
    left = [
        each
        for each in report["messages"]
        if each["outcome"] in (Outcome.STILL_BAD.value, Outcome.FAILED.value)
    ]
    for reason, count in Counter(each["reason"] for each in left).most_common(SHOWN):
        yield f"{count:>7,} {reason}"
    yield from _named(
        [
            f"{each['outcome']}: {each['kept_as'] or each['key']} ({each['event_id']})"
            for each in left
        ],
        "message",
    )
    yield from _foreign_lines(report["foreign"])
    yield from _downstream_hint(report["objects"], command)


def settle_lines(
    report: Mapping[str, Any], comparison: Iterable[str], command: Command
) -> Iterator[str]:
    """What was cleared, or why not; `comparison` is what `leda verify` says."""
    yield from comparison
    would = "would be " if report["dry_run"] else ""
    for each in report["streams"]:
        yield f"{would}settled: {each['says']}" if each["is_settled"] else each["says"]
    if report["is_exact"] is None:
        yield (
            "on_expiry is keep, so the totals cannot be compared with the table: only changes are cleared that Map has "
            "read and whose row can be counted, or is gone, today"
        )
    if report["is_exact"] is not False:
        yield f"{number_of(len(report['settled']), 'object')} {would}cleared"
        yield from _named(
            [f"stays: {each['key']}  {each['today']}" for each in report["objects"]], "object"
        )
    elif report["comparison"]["wrong"]:
        yield (
            f"nothing is cleared while a total is wrong: `{command('rebuild')}` corrects it; then run this command "
            "again"
        )
    else:
        yield "nothing is cleared while totals are in flight: try again at a quieter moment"
    yield from _foreign_lines(report["foreign"])


def detail_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """One object in full."""
    for name in ("key", "stage", "kind", "reason", "arrived", "stream", "shard"):
        yield f"{name:<16} {found[name]}"
    for name in ("sequence_number", "event_id", "first", "last", "count", "size", "today"):
        if name in found:
            yield f"{name:<16} {found[name]}"
    for each in found.get("expected", [])[:SHOWN]:
        what = each["reason"] or f"{each['id']} version {each['version']}"
        yield f"{'put back today':<16} {each['outcome']}: {what}"
    if "data" in found:
        text = found["text"] if found["text"] is not None else f"base64 {found['data']}"
        cut = f" ... ({len(text):,} characters; --json has all)"
        yield f"{'data':<16} {text[:SHOWN_CHARACTERS]}{cut if len(text) > SHOWN_CHARACTERS else ''}"


def _named(lines: Sequence[str], what: str) -> Iterator[str]:
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"and {number_of(len(lines) - SHOWN, what)} more: --json names all"


def _foreign_lines(foreign: Sequence[Mapping[str, str]]) -> Iterator[str]:
    yield from _named(
        [f"left alone: {each['key']}: {each['reason']}" for each in foreign], "object"
    )


def _downstream_hint(objects: Iterable[Mapping[str, Any]], command: Command) -> Iterator[str]:
    if any(each["stage"] != "state" for each in objects):
        yield (
            "Map's and Reduce's are not delivered again: correct the row, and that change counts it. "
            f"`{command('verify')}` says whether a total lacks something, which `{command('rebuild')}` corrects; "
            f"`{command('redrive')} --settle` clears them once all totals are exact"
        )
