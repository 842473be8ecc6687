"""Local commands work, and call only the local stack, in shells with settings for something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from support.hostile_shells import OF_BOTO3, OF_TOOLS, all_together, with_url
from support.live_stack import LiveStack
from support.local_command import leda

LOOK = ("watch", "--seconds", "0")
WRITE = ("load", "--messages", "2")
OTHERS = (
    ("verify",),
    ("load", "--messages", "40", "--check"),
    ("demo", "--rounds", "1", "--messages", "40", "--seed", "1"),
    ("redrive", "--dry-run"),
    ("replay", "--from", "1s", "--dry-run"),
    ("totals", "--top", "3", "--by", "Value"),
    ("backfill", "--dry-run"),
    ("erase", "no such total", "--dry-run"),
)


@dataclass
class Recorder:
    """A server on this machine that no command may call; `requests` are the calls that it got."""

    url: str = ""
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def foreign() -> Iterator[Recorder]:
    """Run the server; it refuses every request."""
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            line = self.rfile.readline(65537)
            if line:
                recorder.requests.append(line.decode("latin-1").strip())
                self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        recorder.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield recorder
        server.shutdown()


@pytest.mark.parametrize("name", OF_BOTO3)
def test_a_local_command_calls_only_the_local_stack(
    stack: LiveStack, foreign: Recorder, tmp_path: Path, name: str
) -> None:
    shell = with_url(OF_BOTO3[name], foreign.url)
    for command in (LOOK, WRITE):
        done = leda(stack.aws.variables, tmp_path, *command, shell=shell)
        assert done.returncode == 0, done.stdout + done.stderr
    assert foreign.requests == []


@pytest.mark.parametrize("command", OTHERS, ids=[command[0] for command in OTHERS])
def test_a_command_works_with_all_of_these_variables_set(
    stack: LiveStack, foreign: Recorder, tmp_path: Path, command: tuple[str, ...]
) -> None:
    shell = with_url(all_together(OF_BOTO3, OF_TOOLS), foreign.url)
    # Objects that other tests have left in the quarantine would change the exit status.
    with stack.empty_quarantine():
        done = leda(stack.aws.variables, tmp_path, *command, shell=shell)
    assert done.returncode == 0, done.stdout + done.stderr
    assert foreign.requests == []


def test_a_terraform_plan_is_empty_with_all_of_these_variables_set(
    stack: LiveStack, foreign: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in with_url(all_together(OF_BOTO3, OF_TOOLS), foreign.url).items():
        monkeypatch.setenv(name, value)

    assert stack.aws.terraform.plan_is_empty(), f"see {stack.aws.terraform.log}"
    assert foreign.requests == []


def test_the_option_aws_uses_and_shows_the_endpoint_of_the_callers_shell(
    stack: LiveStack, foreign: Recorder, tmp_path: Path
) -> None:
    done = leda(
        {**stack.aws.variables, "AWS_ENDPOINT_URL": foreign.url},
        tmp_path,
        *WRITE,
        "--aws",
        shell=stack.aws.variables,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.splitlines()[0].strip() == (
        f"AWS account 000000000000, Region us-east-1, {stack.aws.endpoint}"
    )
    assert foreign.requests == []
