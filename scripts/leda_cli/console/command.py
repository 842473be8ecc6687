"""`leda console`: serves the page until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn
from starlette.types import ASGIApp

from leda_cli.base.errors import LedaError
from leda_cli.base.output import console, heading, info
from leda_cli.console.commands import THIS_COMMAND, Commands
from leda_cli.console.hub import CALLS_A_MINUTE, PACE, READ_UNITS_A_MINUTE, Hub
from leda_cli.console.site import Site
from leda_cli.console.trouble import runbook
from leda_cli.console.web import Guard, Web, new_token
from leda_cli.develop import toolchain
from leda_cli.operate.aggregation import MapFunctionOption
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.stack import NamePrefixOption

LOOPBACK = "127.0.0.1"


def console_command(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")
    ] = 0,
    allow_changes: Annotated[
        bool,
        typer.Option(
            "--allow-changes",
            help="Let the page put messages back, settle, replay and rebuild, each after a dry run. Without this "
            "option the page changes nothing.",
        ),
    ] = False,
    map_function: MapFunctionOption = None,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """Show what the pipeline does on a live web page, for this machine only, until Ctrl-C."""
    libraries = toolchain.install_console()
    site = Site.find(aws, name_prefix, map_function)
    with answering(site.account.endpoint):
        served = Served(site, libraries, port, allow_changes)
    heading(f"Watching {site.aggregation.totals_table}, {site.where}")
    if not site.is_local:
        info(
            f"While a page is open: at most {CALLS_A_MINUTE * len(PACE)} calls and {READ_UNITS_A_MINUTE:,} read units "
            "a minute; while none is open, none."
        )
    console.print(f"    Open {served.address}", soft_wrap=True)
    info(
        "Anybody on this machine who has this address may look"
        + (" and change." if allow_changes else ".")
        + " Ctrl-C ends it."
    )
    with contextlib.suppress(KeyboardInterrupt):
        served.run()
    info("The console has ended.")


class Served:
    """A console on a port of the loopback address."""

    def __init__(
        self,
        site: Site,
        libraries: Mapping[str, Path],
        port: int = 0,
        allow_changes: bool = False,
        program: tuple[str, ...] = THIS_COMMAND,
    ) -> None:
        self._socket = _listen(port)
        self._port: int = self._socket.getsockname()[1]
        token = new_token()
        self.address = f"http://{LOOPBACK}:{self._port}/{token}/"
        web = Web(libraries, allow_changes)
        web.hub = self._hub = Hub(
            site,
            runbook(),
            web.render,
            lambda tell: Commands(site.arguments, tell, program),
        )
        guarded = Guard(web.app(self._life), token, self._port)
        self._server = _Server(guarded, self._hub.close_pages)

    @asynccontextmanager
    async def _life(self, _app: ASGIApp) -> AsyncIterator[None]:
        self._hub.start()
        try:
            yield
        finally:
            await self._hub.stop()

    def run(self) -> None:
        """Serve until Ctrl-C or `end`."""
        asyncio.run(self._server.serve([self._socket]))

    def end(self) -> None:
        """Let `run` return; may be called from another thread."""
        self._server.handle_exit(signal.SIGTERM, None)

    @property
    def is_looked_at(self) -> bool:
        """Whether a page is open."""
        return self._hub.is_looked_at

    def end_when_alone(self) -> None:
        """Let `run` return as soon as no page is open; may be called from another thread."""
        self._hub.when_alone(self.end)


class _Server(uvicorn.Server):
    """Ends the pages' streams before it waits for open connections, so that Ctrl-C ends it at once."""

    def __init__(self, app: ASGIApp, close_pages: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",
                access_log=False,
                server_header=False,
                date_header=False,
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        self._close_pages = close_pages

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop the server on a signal."""
        self._close_pages()
        super().handle_exit(sig, frame)


def _listen(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((LOOPBACK, port))
        # From now on the system accepts connections, so a browser that opens the address at once only waits.
        found.listen()
    except OSError as error:
        raise LedaError(
            f"port {port} cannot be used: {error.strerror}", "give another one with --port, or none"
        ) from error
    return found
