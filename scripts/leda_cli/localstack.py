"""One LocalStack in host mode: start, find again, stop. Everything it writes is in its instance's folder."""

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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from leda_cli.environments import digest_of, last_lines
from leda_cli.errors import LedaError
from leda_cli.paths import LOGS, installed_marker
from leda_cli.toolchain import Toolchain

# Set for LocalStack and inherited by everything it starts, so that an instance's processes are found
# again, whatever became of their parents.
MARKER = "LEDA_INSTANCE"
REGION = "us-east-1"
START_SECONDS = 120.0
STOP_SECONDS = 2.0
SERVICES = (
    "cloudwatch",
    "dynamodb",
    "dynamodbstreams",
    "events",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "resourcegroupstaggingapi",
    "s3",
    "sns",
    "sqs",
    "sts",
)
# Why each is so: docs/local-aws.md. Values are measured for bursts of 10,000 messages on two cores.
SETTINGS = {
    "EAGER_SERVICE_LOADING": "0",
    "DNS_ADDRESS": "0",
    "DISABLE_EVENTS": "1",
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "OVERRIDE_IN_DOCKER": "0",
    "PERSISTENCE": "0",
    "PROVIDER_OVERRIDE_DYNAMODB": "v2",
    "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",
    "DYNAMODB_IN_MEMORY": "1",
    "DYNAMODB_HEAP_SIZE": "1g",
    "KINESIS_LATENCY": "0",
    # In host mode LocalStack's Kinesis else writes all of its data to disk every five seconds.
    "KINESIS_PERSISTENCE": "0",
    "KINESIS_MOCK_VERSION": "0.5.2",
    "KINESIS_SHARD_LIMIT": "500",
    "LAMBDA_RUNTIME_EXECUTOR": "process",
    # The plugin paces a mapping's rounds over its shards.
    "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.01",
    "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "0.2",
    # Environments stay warm for an hour: a cold start costs more here than an idle process.
    "LAMBDA_KEEPALIVE_MS": "3600000",
}


def client_variables(port: int) -> dict[str, str]:
    """Return the environment that makes boto3, the AWS CLI and tflocal use the local endpoint."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }


def server_variables(folder: Path, port: int, tools: Toolchain) -> dict[str, str]:
    """Return LocalStack's whole environment: nothing of the user's AWS settings or proxies gets in."""
    scratch = folder / "tmp"
    tools_first = dict.fromkeys([str(tools.node.parent), str(tools.java.parent)])
    return {
        **{
            name: os.environ[name]
            for name in ("LANG", "LC_ALL", "LD_LIBRARY_PATH")
            if name in os.environ
        },
        **SETTINGS,
        "PATH": os.pathsep.join([*tools_first, os.environ.get("PATH", os.defpath)]),
        "HOME": str(folder / "home"),
        "TMPDIR": str(scratch),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONUNBUFFERED": "1",
        "FILESYSTEM_ROOT": str(folder / "root"),
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        "SERVICES": ",".join(SERVICES),
        "LEDA_DYNAMODB_LOCAL": str(tools.dynamodb_local),
        "LEDA_KINESIS_LOCAL": str(tools.kinesis_local),
        "LEDA_FUNCTIONS_PYTHON": str(tools.functions_python),
        MARKER: str(folder),
    }


def free_port() -> int:
    """Return a port that nobody listens on now."""
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
    with (
        socket.socket() as probe
    ):  # a listener on another address of the machine may answer all the same
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) != 0


@dataclass(frozen=True)
class Running:
    """A LocalStack that runs: what its pid file says."""

    pid: int
    created: float
    port: int
    settings: str
    id: str

    @property
    def endpoint(self) -> str:
        """Return the URL it answers at."""
        return f"http://127.0.0.1:{self.port}"

    def process(self, folder: Path) -> psutil.Process | None:
        """Return the process, or None when it is gone or its PID now belongs to another program."""
        try:
            process = psutil.Process(self.pid)
            same = (
                abs(process.create_time() - self.created) < 2
                and process.status() != psutil.STATUS_ZOMBIE
            )
            return process if same and process.environ().get(MARKER) == str(folder) else None
        except psutil.Error:
            return None

    def healthy(self) -> bool:
        """Tell whether it answers."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.endpoint}/_localstack/health", timeout=5) as answer:
                return answer.status == 200 and "services" in json.load(answer)
        except (OSError, ValueError):
            return False


class LocalStack:
    """One instance, in a folder of its own; several run side by side on different ports."""

    def __init__(self, folder: Path, log_name: str) -> None:
        self.folder = folder
        self.log = LOGS / f"{log_name}.log"
        self._pid_file = folder / "localstack.json"

    def current(self) -> Running | None:
        """Return the instance that was started here and still runs, or None."""
        try:
            running = Running(**json.loads(self._pid_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return running if running.process(self.folder) else None

    def start(self, port: int | None, tools: Toolchain) -> tuple[Running, bool]:
        """Make sure an instance runs; return it and whether it is new.

        port: where it shall listen; None keeps that of a running instance, else takes a free one.

        A healthy one with the same settings is kept. Otherwise what is left of an earlier one is removed,
        and a fresh, empty one is started. Raises LedaError when the port is taken or the start fails.
        """
        running = self.current()
        wanted = port or (running.port if running else free_port())
        settings = self._settings_digest(wanted, tools)
        if running and running.settings == settings and running.healthy():
            return running, False
        if running is None:
            self.stop()  # what a dead one left may hold the port
        if (running is None or running.port != wanted) and not port_is_free(wanted):
            raise LedaError(
                f"Port {wanted} is taken by {owner_of(wanted)}.",
                "Stop that program, or choose another port: LEDA_PORT=4599 make up (any free port).",
            )
        if running:
            self.stop()
        return self._start_fresh(wanted, settings, tools), True

    def _settings_digest(self, port: int, tools: Toolchain) -> str:
        complete = [
            installed_marker(python.parents[1])
            for python in (tools.localstack_python, tools.functions_python)
        ]
        return digest_of(
            complete, json.dumps(server_variables(self.folder, port, tools), sort_keys=True)
        )

    def _start_fresh(self, port: int, settings: str, tools: Toolchain) -> Running:
        for name in ("root", "tmp", "cache", "home"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            process = subprocess.Popen(
                [str(tools.localstack_python), "-m", "localstack.runtime.main"],
                cwd=self.folder,
                env=server_variables(self.folder, port, tools),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the user's terminal is not for LocalStack
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
        while not running.healthy():
            if process.poll() is not None:
                raise LedaError(
                    f"LocalStack ended with status {process.returncode} while it started.\n{last_lines(self.log)}",
                    "If the log does not tell, run: make clean, then try again.",
                )
            if time.monotonic() > deadline:
                raise LedaError(
                    f"LocalStack did not answer within {START_SECONDS:.0f} s.\n{last_lines(self.log)}",
                    "Look for what else keeps the machine busy, run: make down, then try again.",
                )
            time.sleep(0.1)

    def processes(self) -> Iterator[psutil.Process]:
        """Yield every process of this instance: LocalStack, its emulators, the functions."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARKER) == str(self.folder):
                    yield process

    def function_processes(self, function: str | None = None) -> list[int]:
        """Return the PIDs of the processes that run the functions, or one function by its name.

        A test may kill them: LocalStack fails what they were doing, as AWS does when a runtime exits, and
        starts a new one for the next invocation.
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

        Nothing is kept of a local AWS, so what does not end within seconds of SIGTERM is killed.
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
    """Name the program that listens on `port`, as far as this user may know."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.pid and getattr(connection.laddr, "port", None) == port:
                return f"{psutil.Process(connection.pid).name()} (PID {connection.pid})"
    return "another program"
