"""Keeps LocalStack's gateway on the loopback address.

LocalStack 4.9 reads a host in GATEWAY_LISTEN and then listens on every address of the machine all the same.
Anybody who reaches the gateway can make it run code, so here it heeds the host.
"""

from __future__ import annotations

from typing import Any


def install() -> None:
    """Make the gateway's IPv4 endpoint listen on 127.0.0.1; the runtime registers the gateway afterwards."""
    from localstack.runtime.server import twisted as server
    from twisted.internet.endpoints import TCP4ServerEndpoint

    class Endpoints:
        """Twisted's endpoints, with the address that LocalStack leaves out."""

        def __getattr__(self, name: str) -> Any:
            return getattr(original, name)

        @staticmethod
        def TCP4ServerEndpoint(reactor: Any, port: int) -> Any:
            return TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")

    original = server.endpoints
    server.endpoints = Endpoints()
