"""The screen of the demos' tests."""

import io

import pytest
from rich.console import Console


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a demo prints."""
    shown = io.StringIO()
    console = Console(file=shown, width=120, highlight=False)
    for module in (
        "base.output",
        "demos.what_next",
        "demos.play_shop",
        "demos.play_change_capture",
    ):
        monkeypatch.setattr(f"leda_cli.{module}.console", console)
    return shown
