"""The demo of change capture: the number of changes that it announces must have been counted."""

import io
import random
from types import SimpleNamespace
from typing import Any

import pytest

from leda_cli.base import waiting
from leda_cli.base.errors import LedaError
from leda_cli.demos import play_change_capture as play


def counted(*lines: tuple[str, int]) -> Any:
    """The applied example, whose log has these counts."""
    found: list[dict[str, Any]] = [{"event": event, "Changes": [count]} for event, count in lines]
    return SimpleNamespace(log=SimpleNamespace(all=lambda: [*found, {"message": "change"}]))


def test_the_counts_of_this_run_and_of_earlier_ones_are_told_apart(screen: io.StringIO) -> None:
    play._counted(counted(("create", 40), ("update", 3), ("create", 7)), before=10, changed=40)

    assert "They are the 40 changes of this run and 10 of earlier runs." in screen.getvalue()
    assert "create  47" in screen.getvalue()


def test_a_change_that_is_not_counted_is_an_error(
    screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting.wait_for, "__defaults__", (0.0,))
    with pytest.raises(LedaError, match="41 changes counted"):
        play._counted(counted(("create", 50)), before=10, changed=41)


class Table:
    """Stands in for the example: its replica equals its table, and it counts the writes that change an item."""

    table, replica = "Users", "UsersCopy"

    def __init__(self) -> None:
        self.rows_by_key: dict[tuple[str, int], Any] = {}
        self.changes = 0

    def put(self, user: str, attributes: Any, timestamp: int) -> None:
        self.changes += self.rows_by_key.get((user, timestamp)) != attributes
        self.rows_by_key[user, timestamp] = attributes

    def delete(self, user: str, timestamp: int) -> None:
        self.changes += self.rows_by_key.pop((user, timestamp), None) is not None

    def items(self) -> dict[tuple[str, int], Any]:
        return dict(self.rows_by_key)

    replica_items = items

    def rows(self) -> list[Any]:
        return []

    tombstones = rows

    def replica_redelivery(self, _draw: random.Random) -> Any:
        return SimpleNamespace(once=lambda: None, everything=lambda: None, records=1)


@pytest.mark.parametrize("seed", range(5))
def test_a_delete_of_an_absent_item_is_not_counted_as_a_change(
    screen: io.StringIO, seed: int
) -> None:
    table: Any = Table()
    changed = play._replayed(table, random.Random(seed))

    assert changed == table.changes < play.WRITES
    assert f"made {changed} changes" in screen.getvalue()
