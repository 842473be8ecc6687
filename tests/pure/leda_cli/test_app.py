"""The `leda` command itself: numbers in options, and its version."""

from __future__ import annotations

import sys
import tomllib

import pytest

from leda_cli import app
from leda_cli.base.paths import ROOT


@pytest.mark.parametrize("number", ["1e400", "-1e400", "nan", "inf"])
@pytest.mark.parametrize(
    "command", [["cost", "--rate"], ["verify", "--wait"], ["watch", "--seconds"]]
)
def test_a_number_that_is_not_finite_is_refused(
    command: list[str],
    number: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["leda", *command[:-1], f"{command[-1]}={number}"])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    assert command[-1] in capsys.readouterr().err


def test_the_version_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["leda", "--version"])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out == f"leda {project['version']}\n"
