"""HTTP connections that are kept open: reading responses, reusing connections, and errors."""

import datetime
import ipaddress
import re
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from leda.aws.clients import STANDARD
from leda.aws.http_connections import Connections
from support.scripted_server import Silence, Step, Then, answer, chunked, serving

SHORT_SECONDS = 0.2


def request(body: bytes = b"{}") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_an_answer_has_a_status_headers_and_a_body() -> None:
    with serving([answer(b"hello", 418, X_Name="  value ")]) as server:
        found = Connections(server.endpoint).exchange(request())

    assert (found.status, found.body) == (418, b"hello")
    assert found.headers["x-name"] == "value"


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
def test_a_body_with_a_content_length_is_read_whole(size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    with serving([answer(body), answer(b"next")]) as server:
        connections = Connections(server.endpoint)
        assert connections.exchange(request()).body == body
        assert connections.exchange(request()).body == b"next"


def test_a_chunked_body_is_read_whole_and_the_connection_is_reused() -> None:
    chunks = [b"a", b"b" * 100_000, b"\r\n\r\n", b"0\r\n"]
    with serving([chunked(*chunks), chunked(), answer(b"next")]) as server:
        connections = Connections(server.endpoint)
        bodies = [connections.exchange(request()).body for _ in range(3)]

    assert bodies == [b"".join(chunks), b"", b"next"]
    assert server.connections == 1


def test_a_body_without_a_content_length_ends_with_the_connection() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    with serving([Then(head + b"x" * 100_000), answer(b"next")]) as server:
        connections = Connections(server.endpoint)
        assert connections.exchange(request()).body == b"x" * 100_000
        assert connections.exchange(request()).body == b"next"

    assert server.connections == 2


def test_an_answer_that_arrives_byte_by_byte_is_read_whole() -> None:
    whole = chunked(b"some", b"more")

    # A relay that hands on single bytes.
    with (
        serving([whole]) as server,
        socket.create_server(("127.0.0.1", 0)) as listener,
        ThreadPoolExecutor(1) as pool,
    ):
        connections = Connections(f"http://127.0.0.1:{listener.getsockname()[1]}")
        found = pool.submit(connections.exchange, request())
        near, _ = listener.accept()
        with near, socket.create_connection(("127.0.0.1", server.port)) as far:
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            far.sendall(near.recv(65_536))
            for _ in whole:
                near.sendall(far.recv(1))
        assert found.result().body == b"somemore"


def test_an_interim_answer_is_ignored() -> None:
    with serving([b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"the answer")]) as server:
        assert Connections(server.endpoint).exchange(request()).body == b"the answer"


@pytest.mark.parametrize(
    "last",
    [answer(b"a", Connection="close"), answer(b"a").replace(b"HTTP/1.1", b"HTTP/1.0")],
    ids=["Connection: close", "HTTP/1.0"],
)
def test_a_connection_that_the_server_closes_is_not_reused(last: bytes) -> None:
    with serving([last, answer(b"b")]) as server:
        connections = Connections(server.endpoint)
        bodies = [connections.exchange(request()).body for _ in range(2)]

    assert bodies == [b"a", b"b"]
    assert [each.connection for each in server.requests] == [1, 2]


# -- connections that the server closes


def test_an_idle_connection_that_the_server_has_closed_is_not_reused() -> None:
    with serving([answer(b"a"), answer(b"b")]) as server:
        connections = Connections(server.endpoint)
        connections.exchange(request())
        server.close_connections()
        (kept,) = connections._idle
        until = time.monotonic() + 5
        while kept.is_quiet() and time.monotonic() < until:
            time.sleep(0.001)

        assert connections.exchange(request()).body == b"b"
    assert len(server.requests) == 2


def test_a_request_is_sent_again_when_a_reused_connection_closes_without_an_answer() -> None:
    with serving([answer(b"a"), Then(), answer(b"b")]) as server:
        connections = Connections(server.endpoint)
        connections.exchange(request())

        assert connections.exchange(request()).body == b"b"
    assert [each.connection for each in server.requests] == [1, 1, 2]


def test_a_request_is_sent_twice_at_most() -> None:
    with serving([answer(b"a"), Then(), Then(), answer(b"b")]) as server:
        connections = Connections(server.endpoint)
        connections.exchange(request())

        with pytest.raises(ConnectionClosedError):
            connections.exchange(request())
    assert len(server.requests) == 3


def test_a_new_connection_that_closes_without_an_answer_is_an_error() -> None:
    with serving([Then()]) as server, pytest.raises(ConnectionClosedError, match=server.endpoint):
        Connections(server.endpoint).exchange(request())

    assert len(server.requests) == 1


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    "part",
    [b"HTTP/1.1 200", answer(b"hello")[:-1], chunked(b"hello")[:-2]],
    ids=["head", "length", "chunks"],
)
def test_a_truncated_answer_is_an_error_and_the_request_is_not_repeated(
    part: bytes, kept: bool
) -> None:
    first: list[Step] = [answer(b"")] if kept else []
    steps = [*first, Then(part), answer(b"another")]
    with serving(steps) as server:
        connections = Connections(server.endpoint)
        for _ in first:
            connections.exchange(request())
        with pytest.raises(ConnectionClosedError):
            connections.exchange(request())

        assert connections.exchange(request()).body == b"another"
    assert len(server.requests) == len(steps)


# -- other errors


def test_a_missing_answer_is_a_read_timeout_and_the_connection_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving([Silence(), answer(b"b")]) as server:
        connections = Connections(server.endpoint)
        with monkeypatch.context() as patch:
            short = STANDARD._replace(read_seconds=SHORT_SECONDS)
            patch.setattr("leda.aws.http_connections.STANDARD", short)
            began = time.monotonic()
            with pytest.raises(ReadTimeoutError, match=server.endpoint):
                connections.exchange(request())
            assert time.monotonic() - began >= SHORT_SECONDS

        assert connections.exchange(request()).body == b"b"
    assert [each.connection for each in server.requests] == [1, 2]


@pytest.fixture
def short_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    short = STANDARD._replace(connect_seconds=SHORT_SECONDS)
    monkeypatch.setattr("leda.aws.http_connections.STANDARD", short)


@pytest.mark.usefixtures("short_connect_timeout")
def test_a_connection_that_is_not_accepted_is_a_connect_timeout() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The one place in the queue; what comes then is dropped.
        with socket.create_connection(listener.getsockname()):
            connections = Connections(f"http://127.0.0.1:{listener.getsockname()[1]}")
            with pytest.raises(ConnectTimeoutError, match=connections.url):
                connections.exchange(request())


def test_a_port_where_nobody_listens_is_an_endpoint_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(EndpointConnectionError, match=f"http://127.0.0.1:{port}"):
        Connections(f"http://127.0.0.1:{port}").exchange(request())


@pytest.mark.parametrize(
    "nonsense",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: some\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n",
    ],
)
def test_an_answer_that_is_not_http_is_an_error(nonsense: bytes) -> None:
    with (
        serving([Then(nonsense)]) as server,
        pytest.raises(HTTPClientError, match="not an answer of HTTP"),
    ):
        Connections(server.endpoint).exchange(request())


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("http://127.0.0.1:4566", "127.0.0.1:4566"),
        ("http://127.0.0.1:80/", "127.0.0.1"),
        ("https://dynamodb.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.amazonaws.com"),
        ("https://dynamodb.eu-west-1.amazonaws.com:443", "dynamodb.eu-west-1.amazonaws.com"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_host_header_omits_the_schemes_default_port(endpoint: str, host: str) -> None:
    assert Connections(endpoint).host == host


@pytest.mark.parametrize("endpoint", ["", "127.0.0.1:4566", "ftp://host", "http://host/path"])
def test_an_invalid_endpoint_url_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(endpoint))):
        Connections(endpoint)


# -- TLS


def certificate(folder: Path, *addresses: str) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for the addresses: its file, and a server's TLS context that uses it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    bundle, secret = folder / "certificate.pem", folder / "key.pem"
    bundle.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle, secret)
    return bundle, context


def test_a_trusted_certificate_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, context = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    with serving([answer(b"a" * 100_000), answer(b"b")], context) as server:
        connections = Connections(server.endpoint)
        bodies = [connections.exchange(request()).body for _ in range(2)]

    assert bodies == [b"a" * 100_000, b"b"]
    assert server.connections == 1


def test_an_untrusted_certificate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, context = certificate(tmp_path, "127.0.0.1")
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with serving([], context) as server, pytest.raises(SSLError, match="self-signed"):
        Connections(server.endpoint).exchange(request())


def test_a_certificate_of_another_host_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, context = certificate(tmp_path, "127.0.0.2")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    with serving([], context) as server, pytest.raises(SSLError, match="not valid for"):
        Connections(server.endpoint).exchange(request())


@pytest.mark.usefixtures("short_connect_timeout")
def test_a_missing_tls_handshake_is_a_connect_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, _ = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections = Connections(f"https://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(ConnectTimeoutError):
            connections.exchange(request())
