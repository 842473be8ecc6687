"""The stub: `leda_cli.memory_dynamodb` over HTTP on a loopback port, in a process of its own, with a set latency.

    python -m benchmarks.stub CONFIGURATION          (started by `running`; JSON: keys and streamed of its store)

A request is answered so many milliseconds after its first byte came, or when it is done, whichever is later.
Connections are kept open, as AWS keeps them. There is no TLS: what it costs a request is missing from the figures of
both designs.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError

from leda_cli.base.paths import ROOT
from leda_cli.memory_dynamodb.changes import StreamedDynamoDB

_END_OF_HEADERS = b"\r\n\r\n"
_CONTROL = "Stub"
_JSON = "application/x-amz-json-1.0"
_OPERATIONS = {
    *("GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem"),
    *("BatchExecuteStatement", "TransactWriteItems", "DescribeStream"),
}


class RefusedError(Exception):
    """The stub refuses the request; `code` is the error's code in DynamoDB's API."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.more = more


@dataclass(slots=True)
class Service:
    """The state of all connections: the store, the latency in seconds, and the number of calls of each kind."""

    store: StreamedDynamoDB
    latency: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def control(self, operation: str, request: Mapping[str, Any]) -> Any:
        """The benchmark's own calls, which are answered at once and not counted."""
        if operation == "SetLatency":
            self.latency = request["milliseconds"] / 1000
            return {}
        if operation == "TakeCounts":
            counts = dict(self.counts)
            self.counts.clear()
            return counts
        if operation == "TakeChanges":
            return self.store.taken(request["table"])
        if operation == "PutRows":
            for row in request["rows"]:
                self.store.put_item(TableName=request["table"], Item=row)
            return {}
        raise RefusedError("UnknownOperationException", operation)

    def call(self, operation: str, request: Mapping[str, Any]) -> Any:
        """DynamoDB's answer to a request. Raises RefusedError."""
        self.counts[operation] += 1
        if operation not in _OPERATIONS:
            raise RefusedError("UnknownOperationException", f"the stub does not know {operation}")
        try:
            answer = getattr(self.store, xform_name(operation))(**request)
        except ClientError as error:
            response: dict[str, Any] = {**error.response}
            failed, _ = response.pop("Error"), response.pop("ResponseMetadata")
            raise RefusedError(failed["Code"], failed["Message"], **response) from error
        except (NotImplementedError, TypeError, ParamValidationError) as error:
            # A request that the store does not know must fail the measurement, and not the stub.
            raise RefusedError("ValidationException", f"the stub does not know {error}") from error
        answer.pop("ResponseMetadata", None)
        return answer


class Connection(asyncio.Protocol):
    """A kept-alive connection, on which a client sends its next request after the answer to the last one."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._received = b""
        self._began = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for answers."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as soon as the request is complete."""
        if not self._received:
            self._began = self._loop.time()
        self._received += data
        head, found, body = self._received.partition(_END_OF_HEADERS)
        if not found:
            return
        headers = _headers(head)
        if len(body) < int(headers.get("content-length", "0")):
            return
        self._received = b""
        service, _, operation = headers.get("x-amz-target", "").rpartition(".")
        answer = self._answer(service, operation, body)
        due = self._began + (0.0 if service == _CONTROL else self._service.latency)
        if due > self._loop.time():
            self._loop.call_at(due, self._send, answer)
        else:
            self._send(answer)

    def _answer(self, service: str, operation: str, body: bytes) -> bytes:
        request = json.loads(body or b"{}")
        try:
            if service == _CONTROL:
                return _http(200, self._service.control(operation, request))
            return _http(200, self._service.call(operation, request))
        except RefusedError as error:
            kind = f"com.amazonaws.dynamodb.v20120810#{error.code}"
            return _http(400, {"__type": kind, "message": str(error), **error.more})

    def _send(self, answer: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(answer)


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _http(status: int, answer: object) -> bytes:
    body = json.dumps(answer).encode()
    head = (
        f"HTTP/1.1 {status} {http.client.responses[status]}\r\n"
        f"Content-Type: {_JSON}\r\n"
        f"Content-Length: {len(body)}\r\n"
        # boto3 checks it, as with AWS.
        f"x-amz-crc32: {zlib.crc32(body)}\r\n"
        "x-amzn-RequestId: STUB\r\n"
        "\r\n"
    )
    return head.encode() + body


async def serve(service: Service) -> None:
    """Listen on a free port, print it, and answer until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service, loop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


class Stub:
    """The benchmark's client of a running stub."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def set_latency(self, milliseconds: float) -> None:
        """Delay the answers to the functions' calls by so many milliseconds."""
        self._call("SetLatency", milliseconds=milliseconds)

    def take_counts(self) -> dict[str, int]:
        """The number of calls of each kind since the last time."""
        counts: dict[str, int] = self._call("TakeCounts")
        return counts

    def take_changes(self, table: str) -> list[tuple[Any, Any]]:
        """The changes of a table since the last time: (old image, new image)."""
        return [(old, new) for old, new in self._call("TakeChanges", table=table)]

    def put_rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put rows into a table."""
        self._call("PutRows", table=table, rows=rows)

    def _call(self, operation: str, **request: Any) -> Any:
        headers = {"X-Amz-Target": f"{_CONTROL}.{operation}", "Content-Type": _JSON}
        self._connection.request("POST", "/", json.dumps(request), headers)
        return json.load(self._connection.getresponse())


@contextmanager
def running(keys: Mapping[str, tuple[str, ...]], streamed: frozenset[str]) -> Iterator[Stub]:
    """Start a stub with these empty tables, and end it at the end of the block."""
    configuration = json.dumps({"keys": keys, "streamed": sorted(streamed)})
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stub", configuration],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C in the user's terminal is not for it
    )
    assert process.stdin
    assert process.stdout
    try:
        yield Stub(int(process.stdout.readline()))
    finally:
        process.kill()
        process.stdin.close()
        process.wait()
        process.stdout.close()


def main() -> None:
    """Run the stub that the command line describes."""
    given = json.loads(sys.argv[1])
    keys = {table: tuple(names) for table, names in given["keys"].items()}
    asyncio.run(serve(Service(StreamedDynamoDB(keys, frozenset(given["streamed"])))))


if __name__ == "__main__":
    main()
