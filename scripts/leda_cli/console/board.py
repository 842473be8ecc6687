"""The totals as a page shows them: a list or a tree that can be searched and sorted, each total with its history.

The board keeps the totals of the last look and, for each, at most HISTORY_POINTS earlier amounts. A page asks only for
the rows that fit its window, so a page for 10,000 totals is no larger than one for 10.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from leda.engine.group_by.configuration import Configuration
from leda.engine.group_by.hierarchy import SEPARATOR
from leda_cli.console.site import is_hierarchy
from leda_cli.operate.totals.comparison import EXACT
from leda_cli.operate.totals.totals_reading import Total

HISTORY_POINTS = 48
HISTORY_SECONDS = 5.0
MOST_HISTORIES = 20_000
"""Above so many totals no history is kept, to save memory."""
AT_A_GLANCE = 60
"""A tree of at most so many totals is shown with all nodes open."""
MOST_ROWS = 200
"""The most rows of one answer."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a page asks for: the rows `offset` to `offset + limit` of those that match.

    measure: sorts by it, the highest first; empty sorts by identifier.
    top: only the first so many; 0 is all.
    opened: with `is_tree`, the nodes whose children are shown.
    """

    text: str = ""
    grouping: str = ""
    measure: str = ""
    top: int = 0
    is_tree: bool = False
    opened: Container[str] = ()
    offset: int = 0
    limit: int = 60


@dataclass(slots=True)
class _Kept:
    """A total, when it was last seen to change, and its earlier amounts of the first measure that is a sum."""

    total: Total
    changed: float | None = None
    history: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY_POINTS))


class Board:
    """The totals of the last look."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.measures: Sequence[str] = configuration.names
        self._is_hierarchy = is_hierarchy(configuration)
        self.revision = 0
        """Rises with each look that finds a change."""
        self.groupings: list[str] = []
        self._kept: dict[str, _Kept] = {}
        self._children: dict[str, list[str]] = {}
        self._sampled = 0.0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def has_tree(self) -> bool:
        """Whether a total has a parent: in a hierarchy, or in a grouping with `rollup`."""
        return self._is_hierarchy or any(name in self._kept for name in self._children)

    @property
    def drawn(self) -> str:
        """The measure whose history is drawn: the first that is a sum, else the first."""
        sums = (each.name for each in self.configuration.measures if each.field is not None)
        return next(sums, self.measures[0])

    def take(self, totals: Iterable[Total], now: float) -> int:
        """Take the totals that were read at `now`; returns how many have changed since the last look."""
        is_first, changed = self.revision == 0, 0
        kept: dict[str, _Kept] = {}
        for total in totals:
            row = self._kept.get(total.identifier) or _Kept(total)
            if total.identifier not in self._kept or row.total.amounts != total.amounts:
                changed += 1
                row.changed = None if is_first else now
            row.total = total
            kept[total.identifier] = row
        changed += len(self._kept.keys() - kept.keys())
        if kept.keys() != self._kept.keys():
            self._children = self._by_parent(kept)
            self.groupings = sorted({each.total.grouping for each in kept.values()} - {""})
        self._kept = kept
        if changed or is_first:
            self.revision += 1
        if now - self._sampled >= HISTORY_SECONDS:
            self._sampled = now
            self._remember()
        return changed

    def _remember(self) -> None:
        if len(self._kept) > MOST_HISTORIES:
            return
        for row in self._kept.values():
            row.history.append(float(row.total.amounts[self.drawn]))

    def _by_parent(self, kept: Iterable[str]) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for identifier in kept:
            found[self._parent(identifier)].append(identifier)
        return {parent: sorted(children) for parent, children in found.items()}

    def _parent(self, identifier: str) -> str:
        labels = self.configuration.labels(identifier)
        return identifier.rpartition(SEPARATOR)[0] if labels is None else labels.parent

    @property
    def opened(self) -> list[str]:
        """The nodes that a page opens by itself: all of a small tree."""
        if len(self._kept) > AT_A_GLANCE:
            return []
        return [name for name in self._children if name in self._kept]

    # -- asking

    def ask(self, query: Query, now: float) -> dict[str, Any]:
        """The answer to a page's query, for JSON: the number of rows that match, and the rows of its window."""
        found = list(self._wanted(query))
        first = max(0, min(query.offset, len(found)))
        window = found[first : first + min(query.limit, MOST_ROWS)]
        return {
            "revision": self.revision,
            "count": len(found),
            "offset": first,
            "rows": [self._row(name, depth, query, now) for name, depth in window],
        }

    def _wanted(self, query: Query) -> Iterable[tuple[str, int]]:
        """The identifiers that match, in order, and how deep each is indented."""
        if query.is_tree and not query.text and not query.top:
            return self._tree(query)
        text = query.text.casefold()
        names = [
            name
            for name, row in self._kept.items()
            if (not text or text in name.casefold())
            and (not query.grouping or row.total.grouping == query.grouping)
        ]
        found = self._sorted(names, query.measure)
        return [(name, 0) for name in (found[: query.top] if query.top else found)]

    def _tree(self, query: Query) -> Iterator[tuple[str, int]]:
        roots = [name for name in self._kept if self._parent(name) not in self._kept]
        wanted = [
            name
            for name in roots
            if not query.grouping or self._kept[name].total.grouping == query.grouping
        ]
        # Not recursive, because a hierarchy may have any depth.
        waiting = [(name, 0) for name in reversed(self._sorted(wanted, query.measure))]
        while waiting:
            name, depth = waiting.pop()
            yield name, depth
            if name in query.opened:
                children = self._sorted(self._children.get(name, ()), query.measure)
                waiting += [(child, depth + 1) for child in reversed(children)]

    def _sorted(self, names: Iterable[str], measure: str) -> list[str]:
        if measure not in self.measures:
            return sorted(names)
        return sorted(
            names, key=lambda name: (self._kept[name].total.amounts[measure].copy_negate(), name)
        )

    def _row(self, name: str, depth: int, query: Query, now: float) -> dict[str, Any]:
        row, children = self._kept[name], self._children.get(name, ())
        total, is_tree = row.total, query.is_tree and not query.text and not query.top
        label = list(total.keys.values())[-1] if total.keys else name.rpartition(SEPARATOR)[2]
        return {
            "id": name,
            "label": label if is_tree else self._path(total),
            "depth": depth,
            "amounts": [shown(total.amounts[each]) for each in self.measures],
            "changed": None if row.changed is None else round(now - row.changed, 1),
            "history": list(row.history),
            "children": len(children),
            "open": is_tree and name in query.opened,
            "sum": self._agrees(name),
        }

    @staticmethod
    def _path(total: Total) -> str:
        """A total's whole name: its grouping and keys, or the path from the root."""
        if not total.keys:
            return total.identifier.replace(SEPARATOR, " › ")
        return " › ".join([total.grouping, *total.keys.values()])

    def _agrees(self, name: str) -> bool | None:
        """Whether the children's amounts add up to the total's own; None if it has no children."""
        children = self._children.get(name)
        if not children:
            return None
        own = self._kept[name].total.amounts
        return all(
            _sum(self._kept[each].total.amounts[m] for each in children) == own[m] for m in own
        )

    @property
    def disagreeing(self) -> int:
        """How many totals differ from the sum of their children, as some do while a batch is written."""
        return sum(self._agrees(name) is False for name in self._children if name in self._kept)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def shown(amount: Decimal) -> str:
    """A number with all its digits and with thousands separators."""
    return f"{amount:,f}"
