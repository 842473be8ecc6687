"""A server on this machine that stands for a place that nothing may call: it notes who does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Recorder:
    """What was asked of the server at `url`."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.url = ""


@contextmanager
def recording() -> Iterator[Recorder]:
    """Run the server; it refuses every request."""
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            line = self.rfile.readline(65537)
            if line:
                recorder.requests.append(line.decode("latin-1").strip())
                self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorder.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
