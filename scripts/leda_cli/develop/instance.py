"""Starts, finds and stops an emulator of AWS on this machine. All files of an instance are in its folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import psutil

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import LOGS, installed_marker
from leda_cli.develop.environments import digest_of, last_lines

# An environment variable of the emulator, which every process that it starts inherits: so an instance's processes are
# found even when their parents have died.
MARKER = "LEDA_INSTANCE"
REGION = "us-east-1"
START_SECONDS = 120.0
STOP_SECONDS = 2.0
HEALTH_TRIES = 6
"""How many health checks of up to 5 seconds a running instance must fail before it is replaced."""

Tools = TypeVar("Tools")
"""Where the emulator's programs are."""


def client_variables(port: int) -> dict[str, str]:
    """Return the environment that makes boto3, the AWS CLI and tflocal use the local endpoint."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }


def free_port() -> int:
    """Return a port that no program listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on `port` of this machine's loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    # A listener on all addresses of the machine answers although the port could be bound.
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) != 0


@dataclass(frozen=True)
class Running:
    """A running emulator, as its pid file describes it."""

    pid: int
    created: float
    port: int
    settings: str
    id: str

    @property
    def endpoint(self) -> str:
        """Return the URL of the emulator."""
        return f"http://127.0.0.1:{self.port}"

    def process(self, folder: Path) -> psutil.Process | None:
        """Return the process, or None if it is gone or another program has its PID now."""
        try:
            process = psutil.Process(self.pid)
            same = (
                abs(process.create_time() - self.created) < 2
                and process.status() != psutil.STATUS_ZOMBIE
            )
            return process if same and process.environ().get(MARKER) == str(folder) else None
        except psutil.Error:
            return None


class Instance(ABC, Generic[Tools]):
    """An instance of an emulator, in a folder of its own. Several can run side by side on different ports."""

    TITLE: ClassVar[str]
    """The emulator's name."""
    HEALTH: ClassVar[str]
    """The path that answers 200 with JSON once the emulator accepts calls."""
    PORT_SETTING: ClassVar[str]
    """The environment variable that chooses the developer's port."""

    def __init__(self, folder: Path, log_name: str) -> None:
        self.folder = folder
        self.log = LOGS / f"{log_name}.log"
        self._pid_file = folder / f"{self.TITLE.lower()}.json"

    @abstractmethod
    def install(self) -> Tools:
        """Install the emulator's programs if they are missing, and return where they are."""

    @abstractmethod
    def command(self, tools: Tools) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def variables(self, port: int, tools: Tools) -> dict[str, str]:
        """The emulator's settings; they keep all its files in the instance's folder."""

    @abstractmethod
    def interpreters(self, tools: Tools) -> list[Path]:
        """The interpreters of the emulator's virtual environments; a change of one makes an instance out of date."""

    def environment(self, port: int, tools: Tools) -> dict[str, str]:
        """Return the emulator's whole environment, without the user's AWS settings and proxies."""
        inherited = ("LANG", "LC_ALL", "LD_LIBRARY_PATH")
        return {
            **{name: os.environ[name] for name in inherited if name in os.environ},
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "PYTHONUNBUFFERED": "1",
            **self.variables(port, tools),
            MARKER: str(self.folder),
        }

    def current(self) -> Running | None:
        """Return the running instance of this folder, or None."""
        try:
            running = Running(**json.loads(self._pid_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return running if running.process(self.folder) else None

    def healthy(self, running: Running) -> bool:
        """Tell whether the instance answers its health check."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{running.endpoint}{self.HEALTH}", timeout=5) as answer:
                return answer.status == 200 and "services" in json.load(answer)
        except (OSError, ValueError):
            return False

    def _answers(self, running: Running) -> bool:
        """Try the health check several times, because replacing an instance that is only busy loses its contents."""
        return any(self.healthy(running) for _ in range(HEALTH_TRIES))

    def start(self, port: int | None, tools: Tools) -> tuple[Running, bool]:
        """Make sure that an instance runs; return it, and whether it is new.

        port: of the instance; None keeps the port of a running instance, or takes a free one.

        A healthy instance with the same settings is kept. Otherwise the remains of an earlier one are removed, and an
        empty one is started. Raises LedaError when the port is taken or the start fails.
        """
        running = self.current()
        wanted = port or (running.port if running else free_port())
        settings = self._settings_digest(wanted, tools)
        if running and running.settings == settings and self._answers(running):
            return running, False
        if running is None:
            self.stop()  # processes that a dead instance left may hold the port
        if (running is None or running.port != wanted) and not port_is_free(wanted):
            raise LedaError(
                f"Port {wanted} is taken by {owner_of(wanted)}.",
                f"Stop that program, or set {self.PORT_SETTING} to a port that is free, like 4599.",
            )
        if running:
            self.stop()
        return self._start_fresh(wanted, settings, tools), True

    def _settings_digest(self, port: int, tools: Tools) -> str:
        complete = [installed_marker(python.parents[1]) for python in self.interpreters(tools)]
        environment = json.dumps(self.environment(port, tools), sort_keys=True)
        return digest_of(complete, environment)

    def _start_fresh(self, port: int, settings: str, tools: Tools) -> Running:
        for name in ("root", "tmp", "cache", "home"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            process = subprocess.Popen(
                self.command(tools),
                cwd=self.folder,
                env=self.environment(port, tools),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the user's terminal is not for it
            )
        try:
            running = Running(
                process.pid,
                psutil.Process(process.pid).create_time(),
                port,
                settings,
                uuid.uuid4().hex,
            )
            self._pid_file.write_text(json.dumps(running.__dict__))
            self._wait_until_healthy(running, process)
        except BaseException:
            self.stop()
            raise
        return running

    def _wait_until_healthy(self, running: Running, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.healthy(running):
            if process.poll() is not None:
                raise LedaError(
                    f"{self.TITLE} ended with status {process.returncode} while it started.\n{last_lines(self.log)}",
                    "If the log does not tell why, run: make clean, then try again.",
                )
            if time.monotonic() > deadline:
                raise LedaError(
                    f"{self.TITLE} did not answer within {START_SECONDS:.0f} s.\n{last_lines(self.log)}",
                    "Look for what else keeps the machine busy, run: make down, then try again.",
                )
            time.sleep(0.1)

    def processes(self) -> Iterator[psutil.Process]:
        """Yield every process of this instance: the emulator, the programs that it started, the functions."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARKER) == str(self.folder):
                    yield process

    def function_processes(self, function: str | None = None) -> list[int]:
        """Return the PIDs of the processes that run all functions, or the function with that name.

        Tests kill them: the emulator then fails their invocations, as AWS does when a runtime exits, and starts a new
        process for the next invocation.
        """
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                name = process.environ().get("AWS_LAMBDA_FUNCTION_NAME")
                if name and function in (None, name):
                    found.append(process.pid)
        return found

    def stop(self) -> bool:
        """Stop the instance with everything it started and remove its files; return whether any process ran.

        A local AWS keeps nothing, so processes that do not end within seconds of SIGTERM are killed.
        """
        running = self.current()
        main = running.process(self.folder) if running else None
        if main:
            with contextlib.suppress(psutil.Error):
                main.send_signal(signal.SIGTERM)
                main.wait(STOP_SECONDS)
        left = list(self.processes())
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=STOP_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)
        return bool(main or left)


def owner_of(port: int) -> str:
    """Name the program that listens on `port`, if this user may know it; an emulator by its instance's folder."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.pid and getattr(connection.laddr, "port", None) == port:
                process = psutil.Process(connection.pid)
                if folder := process.environ().get(MARKER):
                    return f"a local AWS of LEDA ({folder}, PID {connection.pid})"
                return f"{process.name()} (PID {connection.pid})"
    return "another program"
