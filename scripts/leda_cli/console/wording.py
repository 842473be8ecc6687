"""Words and numbers of the page: the stages with their figures, times, amounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from leda_cli.console.hub import Hub


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of a stage's card. `source`: figures of the last minute (`recent`), or present rates (`rates`).

    kind: how a number is written: count, rate, bytes, seconds or milliseconds.
    """

    name: str
    figure: str
    kind: str = "count"
    source: str = "recent"
    is_trouble: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """A card of the flow: its big figure, the figure of its chart, and the lines below."""

    name: str
    title: str
    what: str
    figure: str
    unit: str
    more: tuple[Figure, ...]
    kind: str = "rate"
    chart: str = ""

    @property
    def charted(self) -> str:
        """The figure of the chart: the big one, where there is no other."""
        return self.chart or self.figure


def _engine(stage: str, *more: Figure, dropped: str) -> tuple[Figure, ...]:
    return (
        Figure("records of a batch", f"{stage}.batch", "rate", "rates"),
        *more,
        Figure(dropped, f"{stage}.duplicates"),
        Figure("quarantined", f"{stage}.quarantined", is_trouble=True),
        Figure("failed invocations", f"{stage}.errors", is_trouble=True),
        Figure("of them injected", f"{stage}.injected", is_trouble=True),
        Figure("throttled", f"{stage}.throttles", is_trouble=True),
        Figure("iterator age", f"{stage}.iterator_age", "milliseconds"),
    )


def stages_of(hub: Hub) -> list[Stage]:
    """The cards of the flow, from the source to the totals."""
    site = hub.site
    mapped = Stage(
        "map",
        "Map",
        "turns each change into sums",
        "map.records",
        "changes/s",
        _engine("map", dropped="dropped: counted before"),
    )
    reduced = Stage(
        "reduce",
        "Reduce",
        "adds the sums to the totals",
        "reduce.records",
        "rows/s",
        _engine(
            "reduce",
            Figure("added to totals", "reduce.applied"),
            Figure("lag, from message to total", "reduce.lag", "milliseconds"),
            dropped="dropped: added before",
        ),
    )
    totals = Stage(
        "totals",
        "Totals",
        f"are read from {site.aggregation.totals_table}",
        "board.count",
        "totals",
        (
            Figure("changes in the last minute", "totals.changed"),
            Figure("oldest change that waits", "board.age", "seconds"),
        ),
        "count",
        "totals.changed",
    )
    if site.stack is None:
        source = Stage(
            "stream",
            site.aggregation.source.name,
            "is the table whose rows are counted",
            "map.records",
            "changes/s",
            (),
        )
        return [source, mapped, reduced, totals]
    stream = Stage(
        "stream",
        "Stream",
        "takes the producers’ messages",
        "stream.records",
        "messages/s",
        (
            Figure("bytes a second", "stream.bytes", "bytes", "rates"),
            Figure("messages in the last minute", "stream.records"),
        ),
    )
    state = Stage(
        "state",
        "State",
        "keeps each trade’s newest version",
        "state.records",
        "messages/s",
        _engine(
            "state", Figure("dropped: older versions", "state.stale"), dropped="dropped: duplicates"
        ),
    )
    return [stream, state, mapped, reduced, totals]


def failing_names(hub: Hub) -> str:
    """The titles of the failing stages: `State, Map and Reduce`."""
    names = [stage.title() for stage in hub.site.functions if stage in hub.failing]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def ago(at: float) -> Markup:
    """A time, which the page shows as the time since then."""
    return Markup('<time data-ago="{}" datetime="{}">{}</time>').format(
        at, _moment(at).isoformat(timespec="seconds"), _moment(at).strftime("at %H:%M:%S UTC")
    )


def clock_time(at: float) -> Markup:
    """A time, which the page shows in its reader's time zone."""
    return Markup('<time data-at="{}" datetime="{}">{}</time>').format(
        at, _moment(at).isoformat(timespec="seconds"), _moment(at).strftime("%H:%M:%S UTC")
    )


def number(amount: str | int, sign: bool = False) -> str:
    """A number of a report with all its digits and with thousands separators."""
    value = Decimal(str(amount))
    return f"{value:+,f}" if sign else f"{value:,f}"


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
