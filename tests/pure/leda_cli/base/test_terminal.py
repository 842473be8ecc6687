"""Printing to a terminal: data cannot send control characters or forge lines, and no encoding causes an error."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from leda.engine.audit.brackets import Bracket
from leda.engine.audit.source_sum import Expected
from leda.engine.group_by.configuration import Configuration
from leda_cli.base import operations
from leda_cli.base import output as console_module
from leda_cli.base.errors import LedaError
from leda_cli.base.output import Screen, aligned, cell
from leda_cli.base.paths import ROOT
from leda_cli.base.terminal import accept_any_encoding, shown, shown_lines
from leda_cli.demos.play_scores import board_table
from leda_cli.operate import erase, rebuild_command, verify
from leda_cli.operate.not_live import NotLive
from leda_cli.operate.quarantine.redrive_report import detail_lines, list_lines
from leda_cli.operate.rebuilding.corrections import Correction
from leda_cli.operate.rebuilding.rebuild import Result
from leda_cli.operate.totals import totals_reading
from leda_cli.operate.totals.comparison import Difference, difference_lines
from leda_cli.operate.totals.oracle import NOTHING
from leda_cli.operate.totals.screen import totals_tree
from leda_cli.operate.totals.totals_reading import Total
from leda_cli.operate.totals_command import Answer
from leda_cli.operate.verify import Verdict
from support.processes import run

EVIL = "\x1b[31mred\x1b[2J\x1b]0;title\x07\r\nPV  expected 1  found 1\x9b1A\u202eevil\ufeff\u2028\ud800"
SHOWN = r"\x1b[31mred\x1b[2J\x1b]0;title\x07\r\nPV  expected 1  found 1\x9b1A\u202eevil\ufeff\u2028\ud800"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EVIL, SHOWN),
        ("plain", "plain"),
        (
            "Größe: 3 €, 日本\u3000語, \u00a0 and \U0001f600",
            "Größe: 3 €, 日本\u3000語, \u00a0 and \U0001f600",
        ),
        ("a\tb\0", r"a\tb\x00"),
        ("C:\\new", "C:\\new"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_control_characters_are_escaped(text: str, expected: str) -> None:
    assert shown(text) == expected


@given(st.text())
def test_an_escaped_text_is_one_line_and_is_not_escaped_again(text: str) -> None:
    once = shown(text)

    assert shown(once) == once
    assert once.splitlines() in ([once], [])
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in once)


def test_line_breaks_of_several_lines_are_kept() -> None:
    assert shown_lines("a\x1b\nb\r\n") == "a\\x1b\nb\\r\n"


# -- everything that is printed


def printed(show: Callable[[Screen], object], terminal: bool = False) -> str:
    """What `show` prints on a console of the commands."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
    screen = Screen(
        file=stream,
        force_terminal=terminal,
        no_color=True,
        width=300,
        highlight=False,
        soft_wrap=True,
    )
    show(screen)
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


def table_of(text: str) -> Table:
    table = Table(box=None)
    table.add_column("x")
    table.add_row(cell(text))
    return table


def totals_of(text: str) -> Table:
    """The table of `leda totals` for a total with this key."""
    total = totals_reading.Total(text, "users", {text: text}, {"Count": Decimal(1)})
    found = totals_reading.Found([total], "T", 1, None)
    return Answer(found, ["Count"], [], "Count", None, NotLive())._table()


def corrected(text: str) -> Iterator[str]:
    """The lines of `leda rebuild` and `leda backfill` about a total and a row with this name."""
    configuration = Configuration.from_json(
        '{"path": "Path", "measures": {"Count": {"op": "count"}}}'
    )
    change = Correction(text, (Decimal(1),), (2,))
    expected = Expected(named=[text], unreadable=1)
    result = Result(configuration, expected, [change], ["uuid"])
    yield from rebuild_command._dry_lines(result)
    yield from verify.unreadable_lines(expected, "T")


DIFFERENCE = Difference(EVIL, Decimal(1), Decimal(2))
BRACKET = Bracket(EVIL, "Value", Decimal(1), Decimal(2), Decimal(2))
DETAIL = {
    **dict.fromkeys(("key", "stage", "kind", "reason", "arrived", "stream", "shard"), EVIL),
    "text": EVIL,
    "data": "",
}
LISTED: dict[str, Any] = {
    "objects": [{"stage": "state", "kind": "record", "records": 1, "reason": EVIL, "key": EVIL}],
    "foreign": [{"key": EVIL, "reason": EVIL}],
}


def report(lines: Callable[[], Iterator[str]]) -> Callable[[Screen], None]:
    """The lines as a command reports them."""

    def show(screen: Screen) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(operations, "console", screen)
            operations.Operation(as_json=False).report({}, lines())

    return show


def through(name: str) -> Callable[[Screen], None]:
    """Print the text with one of the functions that commands use."""

    def show(screen: Screen) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(console_module, "console", screen)
            getattr(console_module, name)(EVIL)

    return show


PRINTED: dict[str, Callable[[Screen], object]] = {
    "the tree of totals": lambda screen: screen.print(totals_tree({EVIL: NOTHING}, {})),
    "a leaderboard": lambda screen: screen.print(
        board_table(
            [Total(EVIL, "users", {"Username": EVIL}, {"Score": Decimal(1), "Records": Decimal(1)})]
        )
    ),
    "a table of an example": lambda screen: screen.print(table_of(EVIL)),
    "leda verify": report(
        Verdict(Expected(named=[EVIL], unreadable=1), 1, [BRACKET], [BRACKET]).lines
    ),
    "leda load": report(lambda: difference_lines([DIFFERENCE])),
    "leda totals": lambda screen: screen.print(totals_of(EVIL)),
    "leda rebuild": report(lambda: corrected(EVIL)),
    "leda erase": report(lambda: erase.Result({EVIL: {}}, {EVIL: EVIL}).lines(False)),
    "leda redrive": report(lambda: list_lines(LISTED, "leda {}".format)),
    "leda redrive --show": report(lambda: detail_lines(DETAIL)),
    **{name: through(name) for name in ("info", "warn", "heading")},
}


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("show", PRINTED.values(), ids=PRINTED)
def test_no_command_prints_control_characters_or_forged_lines_from_data(
    show: Callable[[Screen], object], terminal: bool
) -> None:
    text = printed(show, terminal)

    assert r"\x1b[31mred" in text
    assert not [line for line in text.split("\n") if line.strip().startswith("PV  expected 1")]
    for forbidden in (
        "\x1b[31m",
        "\x1b[2J",
        "\x1b]0",
        "\x07",
        "\x9b",
        "\r",
        "\u202e",
        "\ufeff",
        "\u2028",
    ):
        assert forbidden not in text


@pytest.mark.parametrize(
    "show",
    [
        lambda screen: screen.print(EVIL, markup=False),
        lambda screen: screen.print(f"[bold]{escape(EVIL)}[/]"),
        lambda screen: screen.print(Text(EVIL, style="red")),
        lambda screen: Live(Text(EVIL), console=screen, auto_refresh=False)
        .__enter__()
        .__exit__(None, None, None),
    ],
)
def test_the_console_escapes_control_characters_in_everything_printed(
    show: Callable[[Screen], object],
) -> None:
    text = printed(show, terminal=True)

    assert "red" in text
    for forbidden in ("\x1b[31mred", "\x1b[2J", "\x1b]0", "\x07", "\x9b", "\u202e"):
        assert forbidden not in text


def test_an_error_keeps_its_line_breaks_and_has_control_characters_escaped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def show(screen: Screen) -> None:
        monkeypatch.setattr(console_module, "error_console", screen)
        console_module.print_error(LedaError("one\ntwo \x1b[2J[red]", "fix \x07"))

    assert printed(show).splitlines() == [
        "Error: one",
        r"two \x1b[2J[red]",
        r"What to do: fix \x07",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_name_between_colons_is_no_emoji(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    def show(screen: Screen) -> None:
        report(lambda: iter(["tags:a:true", "source:phone:2026-08-01"]))(screen)
        monkeypatch.setattr(console_module, "error_console", screen)
        console_module.print_error(LedaError("no total tags:key:1", "name tags:key:2"))

    text = printed(show, terminal)

    for identifier in ("tags:a:true", "source:phone:2026-08-01", "tags:key:1", "tags:key:2"):
        assert identifier in text


# -- encodings


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_characters_that_an_encoding_lacks_are_replaced(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    for name, stream in zip(("stdout", "stderr"), streams, strict=True):
        monkeypatch.setattr(sys, name, stream)

    accept_any_encoding()

    for stream in streams:
        print("3 € → 日本 \ud800", file=stream, flush=True)
        assert isinstance(stream.buffer, io.BytesIO)
        assert stream.buffer.getvalue().decode(encoding).startswith("3 ")


ENVIRONMENTS = {
    "PYTHONIOENCODING=latin-1": {"PYTHONIOENCODING": "latin-1"},
    "PYTHONIOENCODING=ascii": {"PYTHONIOENCODING": "ascii"},
    "LC_ALL=C": {"LC_ALL": "C"},
    "LC_ALL=C, and nothing that corrects it": {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    },
}
CALLS = (["cost", "--help"], ["example", "ä€"])


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
@pytest.mark.parametrize("more", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_no_encoding_makes_a_command_fail(call: list[str], more: dict[str, str]) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    leda = Path(sys.executable).parent / "leda"
    done = run(leda, *call, env={**kept, **more}, cwd=ROOT, errors="replace")

    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if call[0] == "example" else 0)
    assert done.stdout if call[0] == "cost" else "What to do" in done.stderr


def test_columns_are_aligned_as_they_are_shown() -> None:
    lines = list(aligned([("a\x1b\n", "1"), ("b", "2")], "{:<{}} {:>{}}"))
    assert lines == [r"a\x1b\n 1", "b       2"]
