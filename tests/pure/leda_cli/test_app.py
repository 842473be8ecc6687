"""The `leda` command itself: numbers in options, its version, and Ctrl-C while it starts."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib

import pytest

from leda_cli import app
from leda_cli.base.paths import ROOT, VENV


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


# The process reports each module when it is imported. The first one is imported by `main` itself.
@pytest.mark.parametrize(
    "module", ["locale", "leda_cli.base.shell", "typer.models", "rich.console", "boto3.session"]
)
def test_ctrl_c_during_the_imports_ends_with_one_line(module: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", VENV / "bin" / "leda", "verify", "--help"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A job in a shell's background ignores SIGINT, and what it starts does too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.split("|")[-1].strip() == module:
            break
    process.send_signal(signal.SIGINT)
    told = [line for line in process.stderr if not line.startswith("import time:")]
    assert process.wait(timeout=60) == 130
    assert told == [
        "Interrupted. If the command was changing something, the next run completes that.\n"
    ]


def test_ctrl_c_is_ignored_during_the_imports_where_it_was_ignored_before() -> None:
    """As in a job of a shell's background."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", VENV / "bin" / "leda", "--version"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert process.stderr is not None
    while not process.stderr.readline().endswith(" leda_cli.base.shell\n"):
        continue
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=60)
    assert (process.returncode, shown[:5]) == (0, "leda ")
