"""A table that is scanned in segments, with two rows a page."""

from collections.abc import Callable, Sequence
from typing import Any


class Table:
    """A table; segment i of n reads every n-th row from i on. `fail` is called with the segment before each page."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows
        self.requests: list[dict[str, Any]] = []
        self.fail: Callable[[int], None] = lambda _segment: None

    def scan(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        segment, segments = request["Segment"], request["TotalSegments"]
        self.fail(segment)
        mine = list(self.rows[segment::segments])
        start = request.get("ExclusiveStartKey", 0)
        page: dict[str, Any] = {"Items": mine[start : start + 2]}
        return page | ({"LastEvaluatedKey": start + 2} if start + 2 < len(mine) else {})
