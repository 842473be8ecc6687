"""Keeps LocalStack's gateway on the loopback address.

LocalStack 4.9 accepts a host in GATEWAY_LISTEN, but then listens on every address of the machine. Anybody who reaches
the gateway can make it run code, so here it listens on the loopback address only.
"""

from __future__ import annotations

from typing import Any


def install() -> None:
    """Make the gateway's IPv4 endpoint listen on 127.0.0.1. The runtime registers the gateway after this."""
    from localstack.runtime.server import twisted as server
    from twisted.internet.endpoints import TCP4ServerEndpoint

    class Endpoints:
        """Twisted's endpoints, with the address that LocalStack does not pass."""

        def __getattr__(self, name: str) -> Any:
            return getattr(original, name)

        @staticmethod
        def TCP4ServerEndpoint(reactor: Any, port: int) -> Any:
            return TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")

    original = server.endpoints
    server.endpoints = Endpoints()
