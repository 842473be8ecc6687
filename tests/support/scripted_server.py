"""An HTTP server on a loopback port that sends the answers that a test has written, byte by byte."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `connection` is the number of its connection, from 1."""

    connection: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Then:
    """Bytes that the server sends before it closes the connection; without bytes it closes without an answer."""

    sent: bytes = b""


@dataclass(frozen=True, slots=True)
class Silence:
    """The server never answers."""


Step = bytes | Then | Silence | Callable[[Request], bytes]


def answer(body: object, status: int = 200, **headers: str) -> bytes:
    """An answer as DynamoDB sends it; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {
        "Content-Type": "application/x-amz-json-1.0",
        "Content-Length": str(len(content)),
        "x-amz-crc32": str(zlib.crc32(content)),
        "x-amzn-RequestId": "REQUEST",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Reason\r\n{lines}\r\n".encode() + content


def chunked(*chunks: bytes) -> bytes:
    """An answer in these chunks, with an extension and a trailer."""
    parts = b"".join(b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\nX: y\r\n\r\n"


@dataclass
class ScriptedServer:
    """The server: the requests that it has received, and its port."""

    steps: Iterator[Step]
    context: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    _open: list[socket.socket] = field(default_factory=list)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def close_connections(self) -> None:
        """Close all open connections, as a server does with idle ones."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def listen(self, listener: socket.socket) -> None:
        """Accept connections until the listener is closed."""
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                self.connections += 1
                arguments = (plain, self.connections)
                threading.Thread(target=self._serve, args=arguments, daemon=True).start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        with suppress(OSError), plain:
            ready = self.context.wrap_socket(plain, server_side=True) if self.context else plain
            with ready, ready.makefile("rb") as stream:
                self._open.append(ready)
                while self._serve_one(ready, stream, number):
                    pass

    def _serve_one(self, ready: socket.socket, stream: Any, number: int) -> bool:
        headers: dict[str, str] = {}
        while (line := stream.readline().decode()) != "\r\n":
            if not line:
                return False
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers["content-length"]))
        request = Request(number, headers, body)
        with self._one_at_a_time:
            self.requests.append(request)
            step = next(self.steps)
        if isinstance(step, Silence):
            stream.read()
            return False
        if isinstance(step, Then):
            ready.sendall(step.sent)
            return False
        ready.sendall(step(request) if callable(step) else step)
        return True


@contextmanager
def serving(steps: Sequence[Step] | Iterator[Step], context: ssl.SSLContext | None = None) -> Any:
    """Run a server that answers its requests with these steps in turn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ScriptedServer(iter(steps), context)
        server.port = listener.getsockname()[1]
        threading.Thread(target=server.listen, args=(listener,), daemon=True).start()
        try:
            yield server
        finally:
            server.close_connections()
            # A thread that waits in accept() does not notice that its socket is closed.
            listener.shutdown(socket.SHUT_RDWR)
