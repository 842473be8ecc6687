"""The plugin's Runtime API and function process, with a small runtime client."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leda_localstack.function_process import FunctionProcess, process_environment
from leda_localstack.runtime_api import InitError, Invocation, Outcome, RuntimeApi

# Does what awslambdaric does: get an invocation, run it, post the answer. The payload says what the handler does.
CLIENT = """
import http.client, json, os, sys
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def post(path, body):
    api.request("POST", "/2018-06-01/runtime/" + path, body)
    api.getresponse().read()
if "unable to start" in sys.argv:
    post("init/error", b'{"errorType": "Runtime.ImportModuleError"}')
    sys.exit(1)
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit(0)
    id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    print("handling", id, flush=True)
    what = json.loads(body)
    if what == "exit":
        os._exit(7)
    if what == "late":
        post("invocation/another/response", b"not for this one")
    if what == "error":
        post(f"invocation/{id}/error", b'{"errorType": "ValueError"}')
    else:
        post(f"invocation/{id}/response", body)
"""


def invocation(payload: object, request_id: str = "r1") -> Invocation:
    return Invocation(request_id, json.dumps(payload).encode(), "arn:f", "Root=1", 0)


class Client:
    """A process of CLIENT and the API that it talks to."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.api = RuntimeApi()
        environment = process_environment({}, {}, folder, [], "python3.13", self.api.address)
        command = [sys.executable, "-c", CLIENT, *arguments]
        self.process = FunctionProcess(command, folder, environment, self.api)

    def invoke(self, payload: object, request_id: str = "r1") -> Outcome:
        call = invocation(payload, request_id)
        self.api.submit(call)
        return call.outcome.result(timeout=20)

    def close(self) -> None:
        self.api.close()
        self.process.kill()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    client.api.ready.result(timeout=20)
    yield client
    client.close()


def test_each_invocation_of_a_process_returns_the_response_or_the_error_posted_for_it(
    client: Client,
) -> None:
    assert client.invoke({"a": 1}, "r1") == Outcome(b'{"a": 1}', is_error=False)
    assert client.invoke("error", "r2") == Outcome(b'{"errorType": "ValueError"}', is_error=True)
    assert client.invoke("late", "r3") == Outcome(b'"late"', is_error=False)


def test_a_process_that_exits_fails_its_invocation(client: Client) -> None:
    outcome = client.invoke("exit")
    assert outcome.is_error
    assert json.loads(outcome.body) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "Runtime exited with exit status: 7",
    }
    assert not client.process.alive


def test_output_is_returned_once(client: Client) -> None:
    client.invoke(1, "first")
    assert client.process.new_output() == "handling first\n"
    client.invoke(2, "second")
    assert client.process.new_output() == "handling second\n"
    assert client.process.all_output() == "handling first\nhandling second\n"


def test_a_client_that_cannot_load_its_handler_is_an_error(tmp_path: Path) -> None:
    client = Client(tmp_path, "unable to start")
    with pytest.raises(InitError, match="ImportModuleError"):
        client.api.ready.result(timeout=20)
    client.close()


def test_closing_the_api_ends_a_waiting_client(tmp_path: Path) -> None:
    client = Client(tmp_path)
    client.api.ready.result(timeout=20)
    client.api.close()
    deadline = time.monotonic() + 20
    while client.process.alive and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not client.process.alive
    client.process.kill()


def test_a_function_gets_lambdas_variables_and_none_of_the_shell() -> None:
    environment = process_environment(
        {"PATH": "/bin", "AWS_PROFILE": "mine", "LEDA_INSTANCE": "here", "TMPDIR": "/scratch"},
        {"STATE_TABLE": "StateTable", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": 512, "PYTHONPATH": "/own"},
        Path("/code"),
        [Path("/layer")],
        "python3.13",
        "127.0.0.1:1",
    )
    assert environment == {
        "PATH": "/bin",
        "LEDA_INSTANCE": "here",
        "TMPDIR": "/scratch",
        "LANG": "en_US.UTF-8",
        "HOME": "/scratch",
        "STATE_TABLE": "StateTable",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "PYTHONPATH": "/code:/layer/python:/own",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": "/code",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    }
