"""What is wrong: alarms, each with the runbook's advice, and the objects in quarantine.

On an account the alarms are CloudWatch's. Local AWS has the alarms but no metrics for them, so the same conditions are
evaluated here, over the last seconds.
"""

from __future__ import annotations

import base64
import re
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from leda.values.texts import number_of
from leda_cli.base.paths import ROOT
from leda_cli.console.site import Site
from leda_cli.operate.quarantine.quarantined import Foreign, GivenUp, Kept, Quarantined
from leda_cli.operate.verify import danger_lines, health_of

RUNBOOK = ROOT / "docs" / "runbook.md"
MOST_OBJECTS = 200
"""The newest objects of the quarantine that are read and listed; all objects are counted."""
READ_OF_ACCOUNT = 25
"""Objects that are read at once on an account, each with a call; the others follow later."""
MOST_CHARACTERS = 4000
LATE_SECONDS = 60.0
"""The age at which totals are late on local AWS; on an account the alarm has its own threshold."""

_NAME = re.compile(r"`(?:<function>-)?([A-Za-z-]+)`")
_LINK = re.compile(r"\[([^\]]*)\]\(([^)]*)\)")
_CODE = re.compile(r"`((?:leda|aws|terraform) [^`]*)`")


@dataclass(frozen=True, slots=True)
class Advice:
    """The runbook's advice on an alarm: what it means, until when nothing is lost, what to do, and the command."""

    meaning: str
    until: str
    answer: str
    command: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """An active alarm. `detail`: what was seen; `since`: when it began, if that is known."""

    name: str
    detail: str
    advice: Advice | None
    since: float | None = None
    is_healing: bool = False
    """Whether it ends by itself and no total is in danger, as a failed batch that is delivered again."""

    @property
    def is_of_quarantine(self) -> bool:
        """Whether it reports quarantined records, and so no wrong total."""
        return self.name.endswith("-quarantined")


def runbook(file: Path = RUNBOOK) -> dict[str, Advice]:
    """Read the runbook's advice on each alarm, by the end of the alarm's name. Raises OSError."""
    lines = file.read_text(encoding="utf-8").splitlines()
    found = {}
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and (match := _NAME.fullmatch(cells[0])):
            _, meaning, until, answer = cells
            found[match[1]] = Advice(
                _plain(meaning), _plain(until), _plain(answer), _command(answer, lines)
            )
    return found


def _plain(text: str) -> str:
    return _LINK.sub(r"\1", text).replace("`", "").replace("**", "")


def _command(answer: str, lines: Sequence[str]) -> str:
    """The command for an alarm: the one in the answer, or the first in the section to which the answer links."""
    if match := _CODE.search(answer):
        return match[1]
    link = _LINK.search(answer)
    if link is None:
        return ""
    heading = f"## {link[2].removeprefix('#').replace('-', ' ')}"
    inside = False
    for line in lines:
        if line.startswith("## "):
            inside = line.casefold() == heading
        elif inside and line.startswith("    ") and line.strip():
            return line.partition(" #")[0].strip()
    return ""


class Alarms:
    """Finds the active alarms."""

    def __init__(self, site: Site, advice: Mapping[str, Advice]) -> None:
        self._site = site
        self._advice = advice

    def of_account(self) -> list[Alarm]:
        """CloudWatch's alarms of the instance's functions that are in ALARM. Raises the client's error."""
        names = {*self._site.functions.values()}
        names |= {f"{self._site.prefix}{each}" for each in ("HealthLambda", "AuditLambda")}
        paginator: Any = self._site.account.cloudwatch.get_paginator("describe_alarms")
        named = {"AlarmNamePrefix": self._site.prefix} if self._site.prefix else {}
        pages = paginator.paginate(StateValue="ALARM", AlarmTypes=["MetricAlarm"], **named)
        found = []
        for page in pages:
            for each in page["MetricAlarms"]:
                name = each["AlarmName"]
                if any(name.startswith(f"{own}-") for own in names):
                    began = each.get("StateUpdatedTimestamp")
                    since = began.timestamp() if isinstance(began, datetime) else None
                    found.append(self._alarm(name, each.get("StateReason", ""), since=since))
        return found

    def of_figures(self, recent: Mapping[str, float], seconds: int) -> Iterator[Alarm]:
        """The alarms that follow from the figures of the last seconds."""
        for stage, function in self._site.functions.items():
            errors = int(recent.get(f"{stage}.errors", 0))
            calls = max(errors, int(recent.get(f"{stage}.invocations", 0)))
            injected = int(recent.get(f"{stage}.injected", 0))
            if errors:
                text = (
                    f"{errors:,} of {number_of(calls, 'invocation')} failed in the last {seconds} s"
                )
                if injected:
                    text += f", {injected:,} of them on purpose (fault injection)"
                yield self._alarm(
                    f"{function}-errors",
                    f"{text}. Their batches are delivered again, and each change counts once.",
                    is_healing=True,
                )
            if throttles := int(recent.get(f"{stage}.throttles", 0)):
                yield self._alarm(
                    f"{function}-throttles",
                    number_of(throttles, "invocation was refused", "invocations were refused"),
                    True,
                )

    def of_age(self, seconds: float | None) -> Iterator[Alarm]:
        """An alarm if changes have waited for too long."""
        if seconds is not None and seconds > LATE_SECONDS:
            stage = self._site.aggregation.map_function
            yield self._alarm(
                f"{stage}-iterator-age", f"a change has waited for {seconds:,.0f} s", True
            )

    def of_health(self) -> list[Alarm]:
        """Alarms for an open rebuild, mappings that are off, and streams with which the totals were not computed."""
        aggregation = self._site.aggregation
        found = health_of(aggregation)
        lines = list(danger_lines(aggregation, found))
        kinds = [
            *(["rebuild-open"] if found.is_rebuild_open else []),
            *(["mappings-off"] * len(found.mappings_off)),
            *(["streams-not-settled"] * len(found.streams_not_settled)),
        ]
        # A rebuild that has ended in the meantime has no line.
        kinds = kinds[len(kinds) - len(lines) :]
        function = f"{self._site.prefix}HealthLambda"
        return [
            self._alarm(f"{function}-{kind}", line) for kind, line in zip(kinds, lines, strict=True)
        ]

    def of_quarantine(self, listing: Listing) -> Iterator[Alarm]:
        """An alarm for each function that has objects in quarantine."""
        for stage, count in sorted(Counter(each.stage for each in listing.objects).items()):
            yield self._alarm(
                f"{self._site.functions.get(stage, stage)}-quarantined",
                f"{number_of(count, 'object is', 'objects are')} in quarantine",
            )

    def of_verification(self, wrong: int) -> Iterator[Alarm]:
        """An alarm if the last verification found totals that differ."""
        if wrong:
            text = number_of(wrong, "total differs", "totals differ")
            yield self._alarm(f"{self._site.prefix}AuditLambda-drift", text)

    def _alarm(
        self, name: str, detail: str, is_healing: bool = False, since: float | None = None
    ) -> Alarm:
        kinds = [kind for kind in self._advice if name.endswith(kind)]
        advice = self._advice[max(kinds, key=len)] if kinds else None
        if advice:
            functions = (own for own in self._site.functions.values() if name.startswith(f"{own}-"))
            command = advice.command.replace("<function>", next(functions, ""))
            if command.startswith("leda "):
                command = " ".join((command, *self._site.arguments))
            advice = replace(advice, command=command)
        return Alarm(name, detail, advice, since, is_healing)


@dataclass(frozen=True, slots=True)
class Object:
    """An object of the quarantine as the page lists it; `text` is its decoded message."""

    key: str
    stage: str
    kind: str
    reason: str
    arrived: float | None
    origin: str
    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The number of objects in quarantine, and the newest of them."""

    count: int = 0
    objects: tuple[Object, ...] = ()

    @property
    def version(self) -> int:
        """A number that changes with the listed objects."""
        return hash(tuple(each.key for each in self.objects))

    def matching(self, text: str) -> list[Object]:
        """The objects whose reason contains the text, ignoring case."""
        return [each for each in self.objects if text.casefold() in each.reason.casefold()]


class Quarantine:
    """Lists the quarantine, and reads each object only once."""

    def __init__(self, site: Site) -> None:
        self._bucket = site.aggregation.quarantine
        self._most_read = MOST_OBJECTS if site.is_local else READ_OF_ACCOUNT
        self._read: OrderedDict[str, Object] = OrderedDict()

    def look(self) -> Listing:
        """The present contents. Raises the client's error."""
        keys = self._bucket.keys()
        newest = sorted(keys, key=_day, reverse=True)[:MOST_OBJECTS]
        known = {key: self._read[key] for key in newest if key in self._read}
        new = [key for key in newest if key not in known][: self._most_read]
        for found in self._bucket.read_all(new):
            known[found.key] = described(found)
        self._read = OrderedDict((key, known[key]) for key in newest if key in known)
        objects = sorted(self._read.values(), key=lambda each: -(each.arrived or 0.0))
        return Listing(len(keys), tuple(objects))


def _day(key: str) -> tuple[str, str]:
    match = re.search(r"/(\d{4}/\d\d/\d\d)/", key)
    return (match[1] if match else "", key)


def described(found: Kept | Foreign) -> Object:
    """The object as the page lists it."""
    if isinstance(found, Foreign):
        return Object(found.key, "", "foreign", found.reason, None, "", "")
    arrived = found.arrived.timestamp() if found.arrived else None
    if isinstance(found, GivenUp):
        origin = f"{found.stream}, {found.shard}, {found.first} to {found.last}"
        text = f"a batch of {number_of(found.count, 'record')} that was given up"
        return Object(found.key, found.stage, "batch", found.reason, arrived, origin, text)
    origin = f"{found.stream}, {found.shard}, {found.sequence_number}"
    return Object(found.key, found.stage, "record", found.reason, arrived, origin, decoded(found))


def decoded(found: Quarantined) -> str:
    """The message as text, or in base 64 if it is not UTF-8."""
    try:
        text = found.data.decode()
    except UnicodeDecodeError:
        text = f"not UTF-8, in base 64: {base64.b64encode(found.data).decode()}"
    rest = len(text) - MOST_CHARACTERS
    return text if rest <= 0 else f"{text[:MOST_CHARACTERS]} … {number_of(rest, 'character')} more"
