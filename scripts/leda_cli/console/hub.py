"""Collects what the page shows, and sends it to the open pages.

Each collector is a thread that reads again and again and passes its results to the event loop, which owns all state.
While no page is open, the collectors wait and make no call. A page keeps only the newest event of each kind, so a slow
page misses events instead of piling them up.
"""

from __future__ import annotations

import asyncio
import enum
import json
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from leda_cli.console.board import Board, Query
from leda_cli.console.commands import Busy, Commands, Job
from leda_cli.console.costs import Cost, Costs, Rate
from leda_cli.console.figures import RECENT_SECONDS, SPAN_SECONDS, Figures, Sample, rates
from leda_cli.console.samples import LogSource, MessageSize, MetricSource
from leda_cli.console.site import Site
from leda_cli.console.trouble import Advice, Alarm, Alarms, Listing, Quarantine
from leda_cli.operate.totals.totals_age import Age
from leda_cli.operate.totals.totals_reading import Found, TotalsReader

BEAT_SECONDS = 5.0
RESENT_SECONDS = 20
"""Log lines may arrive some seconds late, so the figures of so many seconds are sent again each time."""
REST_SECONDS = 4.0
"""On local AWS, changed totals are verified once no record has come for so long."""
FRESH_SECONDS = 10.0
"""How long a verification on local AWS waits for changes to reach their totals."""
FAULTY_SECONDS = 15
"""How long a function counts as failing after a failure on local AWS; on an account, two minutes."""
CALLS_A_MINUTE = 30
"""The most calls of a collector on an account."""
READ_UNITS_A_MINUTE = 1000
"""The most read units that reading the totals takes on an account."""
MOST_DIFFERENCES = 100

Apply = Callable[[Any], None]


PACE = {
    "flow": (1.0, 60.0),
    "totals": (1.0, 15.0),
    "age": (4.0, 60.0),
    "alarms": (5.0, 60.0),
    "quarantine": (3.0, 60.0),
}
"""The interval of each collector in seconds, on local AWS and on an account."""


class Verdict(enum.StrEnum):
    """The state that the page's banner shows, from the worst to the best."""

    WRONG = "wrong"
    SILENT = "silent"
    IN_DANGER = "in-danger"
    FAILING = "failing"
    LOADING = "loading"
    EMPTY = "empty"
    UNKNOWN = "unknown"
    MOVED_ON = "moved-on"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a collector cannot read, and since when."""

    text: str
    since: float


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of `leda verify`: its time, the number of totals and rows, and the totals that differ."""

    at: float
    revision: int
    """The board's revision when the verification began."""
    totals: int
    rows: int
    row_name: str
    wrong: tuple[Mapping[str, Any], ...]
    wrong_totals: int
    in_flight: int
    notes: tuple[str, ...]
    failed: str = ""
    """Why there is no result."""


@dataclass(slots=True, eq=False)
class Page:
    """An open page: the newest event of each kind that it has not got yet."""

    waiting: dict[str, str] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    is_closed: bool = False

    def put(self, event: str, data: str) -> None:
        """Queue an event; it replaces a waiting event of the same kind."""
        self.waiting[event] = data
        self.woken.set()

    def close(self) -> None:
        """End the stream of events."""
        self.is_closed = True
        self.woken.set()

    async def events(self) -> AsyncIterator[tuple[str, str]]:
        """Yield the events as they come, until the page is closed."""
        while not self.is_closed:
            await self.woken.wait()
            self.woken.clear()
            waiting, self.waiting = self.waiting, {}
            for event in waiting.items():
                yield event


class Calls:
    """Counts the clients' calls, by thread and in the last minute."""

    def __init__(self, site: Site) -> None:
        self._at: deque[float] = deque(maxlen=10_000)
        self._own = threading.local()
        account = site.account
        clients: list[Any] = [account.dynamodb, account.streams, account.lambdas, account.s3]
        clients += [account.logs if site.is_local else account.cloudwatch]
        for client in clients:
            client.meta.events.register("request-created", self._count)

    def _count(self, **_: Any) -> None:
        self._at.append(time.time())
        self._own.count = self.of_thread() + 1

    def of_thread(self) -> int:
        """The calls that this thread has made."""
        return int(getattr(self._own, "count", 0))

    @property
    def last_minute(self) -> int:
        """The number of calls in the last minute."""
        since = time.time() - 60
        return sum(at > since for at in list(self._at))


class Hub:
    """Everything that the page shows. Only the collectors' reading happens outside the event loop."""

    def __init__(
        self,
        site: Site,
        advice: Mapping[str, Advice],
        render: Callable[[str, Hub], str],
        commands: Callable[[Callable[[Job], None]], Commands],
    ) -> None:
        self.site = site
        self.board = Board(site.aggregation.live())
        self.commands = commands(lambda _job: self._show())
        self.age: Age | str | None = None
        self.alarms: list[Alarm] = []
        self.listing = Listing()
        self.cost: Cost | None = None
        self.verification: Verification | None = None
        self.problems: dict[str, Problem] = {}
        self.heard: dict[str, float] = {}
        self.calls = Calls(site)
        self._render = render
        self._pages: set[Page] = set()
        self._sent: dict[str, str] = {}
        self._looked_at = threading.Event()
        self._is_over = False
        self._when_alone: Callable[[], None] | None = None
        self._source: LogSource | MetricSource = (LogSource if site.is_local else MetricSource)(
            site
        )
        self._message_size = MessageSize(site)
        self.figures = Figures(self._source.step)
        self._alarms = Alarms(site, advice)
        self._read_alarms: list[Alarm] = []
        self._quarantine = Quarantine(site)
        self._costs = Costs(site) if site.stack else None
        self._verified = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- life

    def start(self) -> None:
        """Start the collectors; they wait until a page is open."""
        self._loop = asyncio.get_running_loop()
        self._collect("flow", self._read_flow, self._take_flow)
        self._collect("totals", self._read_totals, self._take_totals)
        self._collect("age", self._read_age, self._take_age)
        self._collect("alarms", self._read_alarms_now, self._take_alarms)
        self._collect("quarantine", self._quarantine.look, self._take_quarantine)
        if self._costs:
            self._collect("cost", self._read_cost, self._take_cost)
        self.spawn(self._beat())
        self._go_on_alone()

    def close_pages(self) -> None:
        """End the stream of every open page."""
        self._is_over = True
        for page in self._pages:
            page.close()

    async def stop(self) -> None:
        """Stop the running command and all tasks. The threads end with the process."""
        self.close_pages()
        await self.commands.stop()
        for task in self._tasks:
            task.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as a task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @contextmanager
    def page(self) -> Iterator[Page]:
        """Register a page for the time of the block; its first events have the whole state."""
        page = Page()
        self._pages.add(page)
        self._looked_at.set()
        page.put("flow", self._flow(0.0))
        page.put("totals", self._totals())
        for section in SECTIONS:
            page.put(section, self._render(section, self))
        try:
            yield page
        finally:
            self._pages.discard(page)
            if not self._pages:
                self._looked_at.clear()
                self._go_on_alone()

    @property
    def is_looked_at(self) -> bool:
        """Whether a page is open."""
        return bool(self._pages)

    def when_alone(self, function: Callable[[], None]) -> None:
        """Call a function as soon as no page is open. May be called from another thread, and before the start."""
        self._when_alone = function
        self._on_loop(self._go_on_alone)

    def _go_on_alone(self) -> None:
        if not self._pages and self._when_alone:
            self._when_alone()

    def _collect(self, name: str, read: Callable[[], Any], take: Apply) -> None:
        threading.Thread(target=self._turns, args=(name, read, take), daemon=True).start()

    def _turns(self, name: str, read: Callable[[], Any], take: Apply) -> None:
        """Read again and again while a page is open, within the limits of calls and read units."""
        local, account = PACE.get(name, PACE["age"])
        while not self._is_over:
            self._looked_at.wait()
            began, calls = time.monotonic(), self.calls.of_thread()
            try:
                found = read()
            except Exception as error:
                # The page shows any error, and the next turn tries again; a thread that ends would show nothing.
                self._on_loop(self._fail, name, error)
                units = Decimal(0)
            else:
                self._on_loop(self._succeed, name, take, found)
                units = (found.units or Decimal(0)) if isinstance(found, Found) else Decimal(0)
            took = time.monotonic() - began
            if self.site.is_local:
                wait = max(local, 3 * took)
            else:
                made = self.calls.of_thread() - calls
                wait = max(
                    account,
                    60 * made / CALLS_A_MINUTE,
                    60 * float(units) / READ_UNITS_A_MINUTE,
                )
            time.sleep(wait)

    def _on_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _fail(self, name: str, error: Exception) -> None:
        since = self.problems[name].since if name in self.problems else time.time()
        self.problems[name] = Problem(str(error), since)
        self._show()

    def _succeed(self, name: str, take: Apply, found: Any) -> None:
        self.problems.pop(name, None)
        self.heard[name] = time.time()
        take(found)
        self._show()

    # -- telling

    def _tell(self, event: str, data: str) -> None:
        for page in self._pages:
            page.put(event, data)

    def _show(self) -> None:
        """Send the sections whose HTML has changed."""
        for section in SECTIONS:
            html = self._render(section, self)
            if self._sent.get(section) != html:
                self._sent[section] = html
                self._tell(section, html)

    async def _beat(self) -> None:
        while True:
            self._tell("beat", json.dumps({"now": time.time()}))
            await asyncio.sleep(BEAT_SECONDS)

    # -- flow

    def _read_flow(self) -> list[Sample]:
        now = time.time()
        found = self._source.read(now)
        if self.site.is_local and self.site.stack:
            found += self._message_size.bytes_of(found)
        return found

    def _take_flow(self, samples: list[Sample]) -> None:
        now = time.time()
        (self.figures.replace if self._source.replaces else self.figures.add)(samples)
        self.figures.forget(now)
        self._judge()
        self._tell("flow", self._flow(now - max(RESENT_SECONDS, 5 * self.figures.step)))
        self._verify_at_rest(now)

    def _flow(self, since: float) -> str:
        now = time.time()
        return json.dumps(
            {
                "now": now,
                "step": self.figures.step,
                "span": SPAN_SECONDS,
                "rates": rates(self.figures, now),
                "recent": self.figures.recent(now),
                "points": self.figures.points(since),
                "heard": self.heard.get("flow"),
                "age": self.age.seconds if isinstance(self.age, Age) else None,
                "failing": sorted(self.failing),
                "quarantined": self.listing.count,
            }
        )

    @property
    def faulty_seconds(self) -> int:
        """For how long after a failure a function counts as failing."""
        return FAULTY_SECONDS if self.site.is_local else 2 * self.figures.step

    @property
    def failing(self) -> set[str]:
        """The stages whose functions have failed recently."""
        recent = self.figures.recent(time.time(), self.faulty_seconds)
        return {stage for stage in self.site.functions if recent.get(f"{stage}.errors")}

    # -- totals

    def _read_totals(self) -> Found:
        aggregation = self.site.aggregation
        reader = TotalsReader(
            aggregation.account.dynamodb,
            aggregation.totals_table,
            aggregation.totals_key,
            self.board.configuration,
        )
        return reader.whole(None)

    def _take_totals(self, found: Found) -> None:
        now = time.time()
        revision = self.board.revision
        changed = self.board.take(found.totals, now)
        if revision and changed:
            self.figures.add([Sample(now, "totals", "changed", changed)])
        if self.board.revision != revision:
            self._tell("totals", self._totals())

    def _totals(self) -> str:
        board = self.board
        return json.dumps(
            {
                "revision": board.revision,
                "count": len(board),
                "measures": list(board.measures),
                "drawn": board.drawn,
                "groupings": board.groupings,
                "tree": board.has_tree,
                "opened": board.opened,
                "disagreeing": board.disagreeing,
                "heard": self.heard.get("totals"),
            }
        )

    def rows(self, query: Query) -> dict[str, Any]:
        """The rows that a page asks for."""
        return self.board.ask(query, time.time())

    def _read_age(self) -> Age | str:
        return self.site.aggregation.age(self.board.configuration)

    def _take_age(self, age: Age | str) -> None:
        self.age = age
        if isinstance(age, Age):
            self.figures.add([Sample(time.time(), "totals", "age", 1000 * age.seconds)])
        self._judge()

    # -- trouble

    def _read_alarms_now(self) -> list[Alarm]:
        found = self._alarms.of_health()
        return found if self.site.is_local else [*self._alarms.of_account(), *found]

    def _take_alarms(self, found: list[Alarm]) -> None:
        self._read_alarms = found
        self._judge()

    def _take_quarantine(self, listing: Listing) -> None:
        self.listing = listing
        self._judge()

    def _judge(self) -> None:
        """Collect the alarms: those that were read, and on local AWS those that follow from the figures."""
        found = list(self._read_alarms)
        if self.site.is_local:
            age = self.age.seconds if isinstance(self.age, Age) else None
            recent = self.figures.recent(time.time(), self.faulty_seconds)
            found += self._alarms.of_figures(recent, self.faulty_seconds)
            found += self._alarms.of_age(age)
            found += self._alarms.of_quarantine(self.listing)
        wrong = self.verification.wrong_totals if self.verification else 0
        names = {each.name for each in found}
        found += [each for each in self._alarms.of_verification(wrong) if each.name not in names]
        self.alarms = found

    # -- cost

    def _read_cost(self) -> Cost:
        assert self._costs is not None
        # The figures of a minute, because each new mix of messages takes seconds to compute.
        seconds = RECENT_SECONDS if self.site.is_local else 2 * self.figures.step
        recent = self.figures.recent(time.time(), seconds)
        found = {name: value / seconds for name, value in recent.items()}
        size = self._message_size.latest
        if not self.site.is_local and found.get("stream.records"):
            size = found.get("stream.bytes", 0.0) / found["stream.records"]
        return self._costs.of(Rate.of(found, size), found)

    def _take_cost(self, cost: Cost) -> None:
        self.cost = cost

    # -- the verdict

    @property
    def verdict(self) -> Verdict:
        """The state for the banner."""
        found, failing = self.verification, self.failing
        if found and found.wrong_totals:
            return Verdict.WRONG
        if "totals" in self.problems:
            return Verdict.SILENT
        if any(not each.is_healing and not each.is_of_quarantine for each in self.alarms):
            return Verdict.IN_DANGER
        if failing:
            return Verdict.FAILING
        if self.board.revision == 0:
            return Verdict.LOADING
        if not len(self.board):
            return Verdict.EMPTY
        if found is None or found.failed:
            return Verdict.UNKNOWN
        return Verdict.EXACT if found.revision == self.board.revision else Verdict.MOVED_ON

    # -- verifying

    @property
    def is_at_rest(self) -> bool:
        """Whether no change waits, and no record and no failure has come for REST_SECONDS."""
        if not isinstance(self.age, Age) or self.age.seconds:
            return False
        recent = self.figures.recent(time.time(), int(REST_SECONDS))
        return not any(
            value for name, value in recent.items() if name.endswith((".records", ".errors"))
        )

    def _verify_at_rest(self, now: float) -> None:
        known = self.verification.revision if self.verification else 0
        is_new = self.board.revision > known and len(self.board)
        if not self.site.is_local or not is_new or self.commands.is_busy or not self.is_at_rest:
            return
        if now - self._verified > 2 * REST_SECONDS:
            self.spawn(self.verify())

    async def verify(self) -> None:
        """Run `leda verify` now, unless another command is running."""
        self._verified, revision = time.time(), self.board.revision
        arguments = ["verify", "--while-running"]
        if self.site.is_local:
            arguments += ["--wait", str(FRESH_SECONDS)]
        try:
            job, report = await self.commands.report("Verify every total", arguments)
        except Busy:
            return
        self.verification = verification_of(job, report, revision)
        self._judge()
        self._show()


SECTIONS = ("status", "age", "verification", "alarms", "quarantine", "cost", "job", "calls")
"""The parts of the page that are sent as HTML."""


def verification_of(job: Job, report: Mapping[str, Any], revision: int) -> Verification:
    """Read the result from a run of `leda verify --json`."""
    row_name = "trade" if "trades" in report else "row"
    wrong = report.get("wrong", [])
    failed = "" if report else "\n".join(list(job.lines)[-4:]) or f"it ended with status {job.code}"
    return Verification(
        at=job.ended or job.began,
        revision=revision,
        totals=report.get("totals", 0),
        rows=report.get(f"{row_name}s", 0),
        row_name=row_name,
        wrong=tuple(wrong[:MOST_DIFFERENCES]),
        wrong_totals=len({each["identifier"] for each in wrong}),
        in_flight=len({each["identifier"] for each in report.get("in_flight", [])}),
        notes=tuple(report.get("notes", [])),
        failed=failed,
    )
