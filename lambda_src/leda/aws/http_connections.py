"""Kept-alive HTTP/1.1 connections to one endpoint, with little work for each request.

The standard library's `http.client` parses an answer's headers with the e-mail parser, which takes longer than a whole
exchange here, and its import takes 10 ms of a cold start. This module reads the answers that AWS and its emulators
send: a status line, headers, and a body with a length, in chunks, or up to the end of the connection (RFC 9112).
https://www.rfc-editor.org/rfc/rfc9112

Certificates are verified as botocore does: by the authorities in AWS_CA_BUNDLE if it is set, else certifi's if it is
installed, else botocore's own; with the host's name, and TLS 1.2 at least. HTTPS_PROXY is ignored: LEDA's modules set
no proxy, and a loopback address must not go through one.

The errors are botocore's: ConnectTimeoutError, EndpointConnectionError, SSLError, ReadTimeoutError,
ConnectionClosedError, HTTPClientError.
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
    """An answer: its status, its headers by their names in lower case, and its body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connections:
    """Connections to `endpoint` (scheme, host and port): one for each thread that waits for an answer at a time."""

    def __init__(self, endpoint: str) -> None:
        match = _ENDPOINT.fullmatch(endpoint)
        if match is None:
            raise ValueError(
                f"not an endpoint such as https://host or http://host:8000: {endpoint!r}"
            )
        scheme, host, port = match[1], match[2], match[3]
        self.url = endpoint
        # The header Host.
        self.host = host if port is None or int(port) == _PORTS[scheme] else f"{host}:{port}"
        # As bytes, because a str would need the codec for international names, whose import takes 4 ms.
        self._address = host.strip("[]").encode("ascii"), int(port or _PORTS[scheme])
        self._context = _tls_context() if scheme == "https" else None
        # The connection that was used last is used next. The methods of a deque are atomic.
        self._idle: deque[_Connection] = deque()

    def exchange(self, request: bytes) -> Answer:
        """Send a request (head and body) and wait for its answer. Raises botocore's errors.

        A server may close an idle connection at any time, also while the function is frozen. So a request that fails
        on an idle connection before any byte of an answer is sent once more, on a new connection. It may have had its
        effect the first time, as with every retry of the SDK.
        """
        connection = self._idle_connection()
        if connection is not None:
            try:
                return self._exchange(connection, request)
            except ConnectionClosedError:
                if connection.is_answering:
                    raise
        return self._exchange(self._connect(), request)

    def _idle_connection(self) -> "_Connection | None":
        """Take an idle connection that the server has not closed, as far as is known; None if there is none."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_quiet():
                return connection
            connection.close()

    def _exchange(self, connection: "_Connection", request: bytes) -> Answer:
        try:
            answer = connection.exchange(request)
        except BaseException:
            # The next request would read the rest of this answer.
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
        import ssl  # `_tls_context` has imported it already

        try:
            return context.wrap_socket(plain, server_hostname=self._address[0])
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self.url, error=error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=self.url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self.url, error=error) from error


def _tls_context() -> "SSLContext":
    # Not at the top, because the import takes 6 ms, and a local AWS has no TLS.
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
    """One connection.

    is_answering: a part of the answer has arrived. is_reusable: another request can be sent.
    """

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
        """Return whether there is nothing to read. Between requests, a server sends bytes only to close."""
        return not self._poll.poll(0)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def exchange(self, request: bytes) -> Answer:
        """Send a request and read its answer. Raises botocore's errors."""
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
        """Return the bytes before `end`, and remove them and `end` from the buffer."""
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
