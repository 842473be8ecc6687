"""Kept-alive HTTP/1.1 connections to one endpoint, with little work for each request.

The standard library's `http.client` reads an answer's headers with the parser of e-mail, which takes longer than all
that is done here, and importing it costs 10 ms of a cold start. What is here reads what AWS and its emulators send: a
status line, headers, and a body with a length, in chunks, or up to the end of the connection (RFC 9112).
https://www.rfc-editor.org/rfc/rfc9112

Certificates are verified as botocore does it: those in AWS_CA_BUNDLE where it is set, else certifi's where that is
installed, else botocore's own, with the host's name and TLS 1.2 at least. Proxies are not used, whatever HTTPS_PROXY
says: LEDA's modules set none, and a loopback address must never go through one.

Errors are botocore's, so that callers need to know one family: ConnectTimeoutError, EndpointConnectionError, SSLError,
ReadTimeoutError, ConnectionClosedError, HTTPClientError.
"""

import os
import re
import select
import socket
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import botocore
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)

from leda.aws.clients import STANDARD

if TYPE_CHECKING:
    from ssl import SSLContext

_ENDPOINT = re.compile(r"(https?)://(\[[^]/]+]|[^\[\]:/]+)(?::(\d+))?/?")
_PORTS = {"http": 80, "https": 443}

_RECEIVED_AT_ONCE = 65_536
_END_OF_LINE = b"\r\n"
_END_OF_HEAD = b"\r\n\r\n"


class Answer(NamedTuple):
    """An answer: its status, its headers by their names in lower case, its body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connections:
    """Connections to `endpoint` (scheme, host and port), for any number of threads: as many as ask at a time."""

    def __init__(self, endpoint: str) -> None:
        match = _ENDPOINT.fullmatch(endpoint)
        if match is None:
            raise ValueError(
                f"not an endpoint such as https://host or http://host:8000: {endpoint!r}"
            )
        scheme, host, port = match[1], match[2], match[3]
        self.url = endpoint
        # What the header Host says.
        self.host = host if port is None or int(port) == _PORTS[scheme] else f"{host}:{port}"
        # As bytes: a text would go through the codec of international names, whose import takes 4 ms.
        self._address = host.strip("[]").encode("ascii"), int(port or _PORTS[scheme])
        self._context = _tls_context() if scheme == "https" else None
        # The last one used is used first; deque's methods are atomic.
        self._idle: deque[_Connection] = deque()

    def exchange(self, request: bytes) -> Answer:
        """Send a request (head and body) and wait for its answer. Raises botocore's errors.

        A server may close a kept connection at any time, and in a function that was frozen nobody notices: so a
        request that fails on a kept connection before anything is answered is sent once more, on a new one. It may
        have had its effect the first time, as with every retry of the SDK.
        """
        connection = self._kept()
        if connection is not None:
            try:
                return self._exchange(connection, request)
            except ConnectionClosedError:
                if connection.is_answering:
                    raise
        return self._exchange(self._connect(), request)

    def _kept(self) -> "_Connection | None":
        """A connection that the server, as far as is known, has not closed."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_quiet():
                return connection
            connection.close()
        return None

    def _exchange(self, connection: "_Connection", request: bytes) -> Answer:
        try:
            answer = connection.exchange(request)
        except BaseException:
            # What is left of the answer would be taken for the next one's.
            connection.close()
            raise
        if connection.is_reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _connect(self) -> "_Connection":
        try:
            plain = socket.create_connection(
                self._address, STANDARD.connect_seconds  # type: ignore[arg-type]
            )
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=self.url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self.url, error=error) from error
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            ready = self._secured(plain, self._context) if self._context else plain
            ready.settimeout(STANDARD.read_seconds)
        except BaseException:
            plain.close()
            raise
        return _Connection(ready, self.url)

    def _secured(self, plain: socket.socket, context: "SSLContext") -> socket.socket:
        import ssl  # loaded by the context

        try:
            return context.wrap_socket(plain, server_hostname=self._address[0])
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self.url, error=error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=self.url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self.url, error=error) from error


def _tls_context() -> "SSLContext":
    # Not at the top: 6 ms of a cold start that http, on a local AWS, does not need.
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(os.environ.get("AWS_CA_BUNDLE") or _bundle())
    return context


def _bundle() -> str:
    try:
        from certifi import where
    except ImportError:
        return os.path.join(os.path.dirname(botocore.__file__), "cacert.pem")
    return where()


class _Connection:
    """One connection. `is_answering`: part of an answer has come; `is_reusable`: it can take another request."""

    __slots__ = ("_buffer", "_poll", "_socket", "_url", "is_answering", "is_reusable")

    def __init__(self, ready: socket.socket, url: str) -> None:
        self._socket = ready
        self._url = url
        self._buffer = b""
        self._poll = select.poll()
        self._poll.register(ready, select.POLLIN)
        self.is_answering = False
        self.is_reusable = False

    def is_quiet(self) -> bool:
        """Whether there is nothing to read: between requests, only a server's goodbye would be."""
        return not self._poll.poll(0)

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def exchange(self, request: bytes) -> Answer:
        """Send a request and read the answer."""
        self.is_answering = self.is_reusable = False
        try:
            self._socket.sendall(request)
            return self._answer()
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=self._url, error=error) from error
        except OSError as error:
            raise ConnectionClosedError(endpoint_url=self._url, error=error) from error
        except ValueError as error:
            raise HTTPClientError(error=f"not an answer of HTTP: {error}") from error

    def _answer(self) -> Answer:
        status = 100
        while 100 <= status < 200:
            head = self._until(_END_OF_HEAD).decode("latin-1")
            first, *lines = head.split("\r\n")
            version, _, rest = first.partition(" ")
            if not version.startswith("HTTP/1."):
                raise ValueError(first)
            status = int(rest[:3])
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        is_kept = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks()
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        else:
            body, is_kept = self._rest(), False
        self.is_reusable = is_kept and not self._buffer
        return Answer(status, headers, body)

    def _chunks(self) -> bytes:
        chunks = []
        while size := int(self._until(_END_OF_LINE).partition(b";")[0], 16):
            chunks.append(self._exactly(size))
            self._until(_END_OF_LINE)
        while self._until(_END_OF_LINE):
            pass  # trailers
        return b"".join(chunks)

    def _until(self, end: bytes) -> bytes:
        """What comes before `end`, which is taken too."""
        while (length := self._buffer.find(end)) < 0:
            self._buffer += self._received()
        found = self._buffer[:length]
        self._buffer = self._buffer[length + len(end) :]
        return found

    def _exactly(self, size: int) -> bytes:
        if size <= len(self._buffer):
            found, self._buffer = self._buffer[:size], self._buffer[size:]
            return found
        parts, missing = [self._buffer], size - len(self._buffer)
        self._buffer = b""
        while missing:
            parts.append(self._received(min(missing, _RECEIVED_AT_ONCE)))
            missing -= len(parts[-1])
        return b"".join(parts)

    def _rest(self) -> bytes:
        parts, self._buffer = [self._buffer], b""
        while part := self._socket.recv(_RECEIVED_AT_ONCE):
            parts.append(part)
        return b"".join(parts)

    def _received(self, most: int = _RECEIVED_AT_ONCE) -> bytes:
        part = self._socket.recv(most)
        if not part:
            raise ConnectionClosedError(endpoint_url=self._url)
        self.is_answering = True
        return part
