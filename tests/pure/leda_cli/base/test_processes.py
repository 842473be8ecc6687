"""Work in several processes: ordered results, and an immediate end after an error or an interruption."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import time

import pytest

from leda_cli.base.paths import ROOT, VENV
from leda_cli.base.processes import in_processes


def square(number: int) -> int:
    return number * number


def fail_on_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    signal.pause()  # for ever: a test that waits for it does not end
    return number


def test_results_come_in_the_order_of_the_jobs() -> None:
    assert list(in_processes(square, range(20), 3)) == [number * number for number in range(20)]
    assert list(in_processes(square, [], 3)) == []


def test_an_error_of_one_job_ends_all_processes_at_once() -> None:
    with pytest.raises(ValueError, match="three"):
        list(in_processes(fail_on_three, [3, 1, 2], 2))
    assert multiprocessing.active_children() == []


def test_closing_the_results_ends_all_processes() -> None:
    results = in_processes(square, range(1000), 2)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("seconds", [0.0, 0.5, 2.0])
def test_ctrl_c_ends_simulate_at_once_with_one_line(seconds: float) -> None:
    """The terminal sends the signal to the command and to all of its processes."""
    process = subprocess.Popen(
        [str(VENV / "bin" / "leda"), "simulate", "--seeds", "1:100000"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A job in a shell's background ignores SIGINT, and what it starts does too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert "Simulating" in process.stdout.readline()
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    # The seeds take hours.
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (
        errors
        == "Interrupted. If the command was changing something, the next run completes that.\n"
    )
