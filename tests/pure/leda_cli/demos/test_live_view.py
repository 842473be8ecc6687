"""The live view on a terminal, and without one, where nothing can be redrawn."""

import io

import pytest
from rich.console import Console

from leda_cli.demos.live_view import LiveView


def test_without_a_terminal_a_line_is_printed_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0
    monkeypatch.setattr("leda_cli.demos.live_view.time.monotonic", lambda: now)
    output = io.StringIO()

    with LiveView(Console(file=output, width=200)) as view:
        for now in range(12):
            view.show("a block", f"{now} s", f"{2 * now} of it")

    assert output.getvalue().splitlines() == ["    5 s; 10 of it", "    10 s; 20 of it"]


def test_on_a_terminal_the_block_is_redrawn_each_time() -> None:
    output = io.StringIO()
    terminal = Console(file=output, width=200, force_terminal=True, _environ={"TERM": "xterm"})

    with LiveView(terminal) as view:
        for block in ("first", "second", "third"):
            view.show(block, "status", "summary")

    shown = output.getvalue()
    assert all(block in shown for block in ("first", "second", "third"))
    assert "summary" not in shown
