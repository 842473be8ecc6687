"""The Lambda Runtime API (2018-06-01) for one execution environment, as a local HTTP server.

The runtime client asks for the next invocation, runs the handler and posts the response or the error:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Independent of LocalStack.
"""

from __future__ import annotations

import json
import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Outcome:
    """The end of an invocation: the bytes that the runtime client posted, and whether they are an error."""

    body: bytes
    is_error: bool


@dataclass(frozen=True)
class Invocation:
    """One call of the function. `deadline_ms` is in milliseconds since the epoch."""

    request_id: str
    payload: bytes
    function_arn: str
    trace_id: str
    deadline_ms: int
    outcome: Future[Outcome] = field(default_factory=Future)


class InitError(Exception):
    """The runtime client could not load the handler; `body` is the error document it posted."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body.decode(errors="replace"))
        self.body = body


def error_document(error_type: str, message: str) -> bytes:
    """Return an error document in Lambda's format."""
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


class RuntimeApi:
    """Serves one process of the runtime client; each process has a RuntimeApi of its own.

    `ready` completes when the process asks for its first invocation, or fails with InitError.
    """

    def __init__(self) -> None:
        self.ready: Future[None] = Future()
        self._queue: queue.Queue[Invocation | None] = queue.Queue()
        self._current: Invocation | None = None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="lambda-runtime-api",
            daemon=True,
        ).start()

    @property
    def address(self) -> str:
        """Return host and port, the value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_port}"

    def submit(self, invocation: Invocation) -> None:
        """Hand an invocation to the process; `invocation.outcome` completes with the answer."""
        with self._lock:
            self._current = invocation
        self._queue.put(invocation)

    def finish(self, request_id: str | None, outcome: Outcome) -> None:
        """Complete the current invocation if `request_id` is its ID or None; later answers are ignored."""
        with self._lock:
            current = self._current
            if current is None or current.outcome.done():
                return
            if request_id in (None, current.request_id):
                current.outcome.set_result(outcome)

    def fail_start(self, body: bytes) -> None:
        """Record that the process failed before it was ready."""
        if not self.ready.done():
            self.ready.set_exception(InitError(body))

    def close(self) -> None:
        """Stop serving; a runtime client that waits for an invocation gets an answer."""
        self.ready.cancel()
        self._queue.put(None)
        self._server.shutdown()
        self._server.server_close()

    def next_invocation(self) -> Invocation | None:
        """Wait for the next invocation; None when the server closes."""
        if not self.ready.done():
            self.ready.set_result(None)
        return self._queue.get()


def _handler_for(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing, because LocalStack logs the invocations."""

        def do_GET(self) -> None:  # .../runtime/invocation/next
            invocation = api.next_invocation()
            if invocation is None:
                self._answer(503)
                return
            headers = {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                "Lambda-Runtime-Trace-Id": invocation.trace_id,
                "Content-Type": "application/json",
            }
            self._answer(200, invocation.payload, headers)

        # .../invocation/<id>/response, .../invocation/<id>/error, .../init/error
        def do_POST(self) -> None:
            # awslambdaric sends the length of everything that it posts.
            body = self.rfile.read(int(self.headers["Content-Length"]))
            *_, what, end = self.path.rstrip("/").split("/")
            self._answer(202)
            if what == "init":
                api.fail_start(body)
            else:
                api.finish(what, Outcome(body, end == "error"))

        def _answer(
            self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
