"""Runs other `leda` commands for the page, as child processes.

A button of the page does what the command of that name does, with the same report. A child process can be stopped at
any time, frees its memory at its end, and is the same command line that a person types.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_LINES = 400
MOST_CHARACTERS = 1000
MOST_REPORT_BYTES = 4_000_000
STOP_SECONDS = 2.0
THIS_COMMAND = (sys.executable, "-c", "from leda_cli.start import main; main()")
"""`leda`, in the interpreter that runs now."""


@dataclass(frozen=True, slots=True)
class Action:
    """A button of the page. `what`: a sentence on what it does; `is_of_pipeline`: it needs a pipeline's stream."""

    name: str
    title: str
    arguments: tuple[str, ...]
    what: str
    is_of_pipeline: bool = True


ACTIONS = {
    each.name: each
    for each in (
        Action(
            "put-back",
            "Put messages back",
            ("redrive", "--put-back"),
            "StateLambda gets the quarantined messages again. Messages that it stores leave the quarantine.",
        ),
        Action(
            "settle",
            "Settle",
            ("redrive", "--settle"),
            "All totals are compared with the table. If every one is exact, the records of Map and Reduce leave the "
            "quarantine.",
            is_of_pipeline=False,
        ),
        Action(
            "replay",
            "Replay the stream",
            ("replay", "--from"),
            "StateLambda gets the messages that the stream has kept since then once more. Messages that are stored "
            "already change nothing.",
        ),
        Action(
            "rebuild",
            "Rebuild the totals",
            ("rebuild",),
            "All totals are computed again from the table. Map is switched off meanwhile; producers may go on.",
            is_of_pipeline=False,
        ),
    )
}


@dataclass(slots=True)
class Job:
    """One run of a command: its output, and its exit status `code`, which is None while it runs."""

    number: int
    title: str
    arguments: tuple[str, ...]
    is_dry: bool
    began: float
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_LINES))
    code: int | None = None
    ended: float | None = None

    @property
    def command(self) -> str:
        """The command line, as a person would type it."""
        return " ".join(("leda", *self.arguments))


class Busy(RuntimeError):
    """Another command is running."""


class Commands:
    """Runs one command at a time, and calls `tell` whenever it has new output or has ended."""

    def __init__(
        self,
        options: Sequence[str],
        tell: Callable[[Job], None],
        program: Sequence[str] = THIS_COMMAND,
    ) -> None:
        self._options = tuple(options)
        self._tell = tell
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._count = 0
        self.latest: Job | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a command is running."""
        return self.latest is not None and self.latest.code is None

    async def run(self, title: str, arguments: Sequence[str], *, is_dry: bool = False) -> Job:
        """Run a command to its end. Raises Busy while another one is running."""
        job = self._begin(title, (*arguments, *(("--dry-run",) if is_dry else ())), is_dry)
        await self._follow(job)
        return job

    async def report(self, title: str, arguments: Sequence[str]) -> tuple[Job, dict[str, Any]]:
        """Run a command with --json and return its report; {} if it failed before it had one. Raises Busy."""
        output = bytearray()
        job = self._begin(title, (*arguments, "--json"), False)
        await self._follow(job, output)
        try:
            found = json.loads(output)
        except ValueError:
            return job, {}
        return job, found if isinstance(found, dict) else {}

    def _begin(self, title: str, arguments: Sequence[str], is_dry: bool) -> Job:
        if self.is_busy:
            raise Busy("another command is running")
        self._count += 1
        job = Job(self._count, title, (*arguments, *self._options), is_dry, time.time())
        self.latest = job
        self._tell(job)
        return job

    async def _follow(self, job: Job, output: bytearray | None = None) -> None:
        """Run the job's process and collect its lines; with `output`, standard output goes there instead."""
        process = self._process = await asyncio.create_subprocess_exec(
            *self._program,
            *job.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if output is None else asyncio.subprocess.PIPE,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "140"},
            # Ctrl-C in the terminal must reach only the console, which stops its children itself.
            start_new_session=True,
        )
        try:
            streams = [process.stdout] if output is None else [process.stderr]
            tasks = [self._lines(stream, job) for stream in streams if stream]
            if output is not None and process.stdout:
                tasks.append(_all(process.stdout, output))
            await asyncio.gather(*tasks)
            job.code = await process.wait()
        finally:
            if job.code is None:
                job.code = -signal.SIGTERM
                await self.stop()
            job.ended = time.time()
            self._process = None
            self._tell(job)

    async def _lines(self, stream: asyncio.StreamReader, job: Job) -> None:
        async for line in stream:
            text = line.decode(errors="replace").rstrip()
            if text:
                job.lines.append(text[:MOST_CHARACTERS])
                self._tell(job)

    async def stop(self) -> None:
        """Stop the command that is running, if there is one. Every command may be run again."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _all(stream: asyncio.StreamReader, output: bytearray) -> None:
    """Read the stream to its end into `output`, and drop what is beyond MOST_REPORT_BYTES."""
    while part := await stream.read(65536):
        if len(output) < MOST_REPORT_BYTES:
            output += part
