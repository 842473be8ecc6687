"""An execution environment: a handler in a process of its own, which reports the time of each event.

    python -m benchmarks.environment HANDLER_FILE      (started by `Environment`; the environment holds its settings)

It takes a line with the name of a file that holds an event, and answers a line of JSON. As in Lambda's runtime, an
event is parsed from JSON and the answer is made into JSON, and both count. What the function prints is thrown away.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, Self


class Failed(RuntimeError):
    """The function raised an error; the text is the error's."""


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of processor time (all threads, user and system) and of wall time.

    `peak_mb`: the process's peak of memory in RAM so far.
    """

    cpu_ms: float
    wall_ms: float
    peak_mb: float


class Environment:
    """A cold start of the handler in `file` with the environment `variables`, and then any number of events.

    folders: searched first for the handler's imports. Several environments may start at the same time.
    """

    def __init__(
        self,
        file: Path,
        variables: Mapping[str, str],
        folders: Iterable[Path] = (),
        python: str = sys.executable,
    ) -> None:
        inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self._process = subprocess.Popen(
            # -P: this folder's modules do not belong to the function.
            [python, "-P", str(Path(__file__)), str(file)],
            env={
                **inherited,
                "PYTHONPATH": os.pathsep.join(str(folder) for folder in folders),
                **variables,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C in the user's terminal is not for it
        )

    @cached_property
    def started(self) -> Took:
        """Wait for the handler; the time of loading it, imports included."""
        return self._answer()

    def invoke(self, event: Mapping[str, Any]) -> Took:
        """Run the handler once. Raises Failed."""
        assert self.started
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(event, file)
            file.flush()
            self._write(file.name)
            return self._answer()

    def __enter__(self) -> Self:
        """Use it in a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.kill()  # it has nothing to finish, and an interrupted run should end at once
        self._process.communicate()

    def _write(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _answer(self) -> Took:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"the process ended with status {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return Took(**answer)


def main() -> None:
    """Load the handler and run it for each line."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    context = SimpleNamespace(
        function_name=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:benchmark",
        aws_request_id="00000000-0000-4000-8000-000000000000",
        get_remaining_time_in_millis=lambda: 60_000,
    )
    clock = _Clock()
    handler = _load(Path(sys.argv[1]))
    _say(answers, clock.read())
    for line in sys.stdin:
        event = Path(line.strip()).read_bytes()
        clock = _Clock()
        try:
            json.dumps(handler(json.loads(event), context))
        except Exception as error:
            _say(answers, {"error": f"{type(error).__name__}: {error}"})
        else:
            _say(answers, clock.read())


class _Clock:
    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def read(self) -> dict[str, float]:
        return {
            "cpu_ms": (time.process_time() - self._cpu) * 1000,
            "wall_ms": (time.perf_counter() - self._wall) * 1000,
            "peak_mb": _peak_mb(),
        }


def _peak_mb() -> float:
    """The process's peak of memory on Linux; NaN on other systems.

    getrusage would report the peak of the parent process if that is larger.
    https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return float("nan")
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) / 1024


def _load(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location("handler", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lambda_handler


def _say(answers: IO[str], what: Mapping[str, object]) -> None:
    answers.write(json.dumps(what) + "\n")


if __name__ == "__main__":
    main()
