"""The pages of the console, and the guard that decides who may request them.

The page shows the contents of an account, and with --allow-changes it can change them. So only those who know the
address may use it: the server listens on the loopback address only, a random token is part of every path, and requests
from the pages of other sites, or for another host name (DNS rebinding), are refused even with the token.
https://owasp.org/www-community/attacks/DNS_Rebinding ; https://developer.mozilla.org/docs/Web/HTTP/Guides/CSP
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from leda.values.texts import number_of
from leda_cli.console.board import Query
from leda_cli.console.commands import ACTIONS, Action, Busy, Job
from leda_cli.console.hub import CALLS_A_MINUTE, PACE, READ_UNITS_A_MINUTE, Hub
from leda_cli.console.wording import ago, clock_time, failing_names, number, stages_of
from leda_cli.operate.verify import differing

HERE = Path(__file__).parent
MOST_FORM_BYTES = 4096
MOST_TEXT = 200
MOST_OPENED = 500

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_NOT_HERE = "Not found. Open the address that `leda console` has printed: its long part is the key to this page.\n"
_MOMENT = re.compile(r"TRIM_HORIZON|[0-9]{1,6}[smhd]|[0-9][0-9T:.+Z-]{9,40}")
_REASON = re.compile(r"[^\x00-\x1f\x7f]{0,200}")


def new_token() -> str:
    """A random token that cannot be guessed."""
    return secrets.token_urlsafe(24)


class Guard:
    """Refuses requests that do not come from the console's own page, and sets that page's security headers."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # There are no WebSockets here; closing one before it is accepted refuses it.
            await send({"type": "websocket.close", "code": 1008})
            return

        async def confined(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = self._refusal(scope)
        if refused:
            await refused(scope, receive, confined)
            return
        await self._app({**scope, "root_path": f"/{self._token}"}, receive, confined)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts or len(headers.getlist("host")) != 1:
            return PlainTextResponse("This host is not served here.\n", 421)
        if origin is not None and origin != f"http://{host}":
            return PlainTextResponse("Another site may not ask.\n", 403)
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return PlainTextResponse("Another site may not ask.\n", 403)
        if scope["method"] not in ("GET", "HEAD") and origin is None:
            return PlainTextResponse("A change must come from the console's own page.\n", 403)
        first, slash, _ = scope["path"].removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(first.encode(), self._token.encode()):
            return PlainTextResponse(_NOT_HERE, 404)
        return None


@dataclass
class Web:
    """The pages of a hub. `libraries`: the files of npm packages that the page loads, by name."""

    libraries: Mapping[str, Path]
    allow_changes: bool
    templates: Environment = field(init=False)
    hub: Hub = field(init=False)
    _dry_runs: dict[str, tuple[Action, tuple[str, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals |= {
            "allow_changes": self.allow_changes,
            "actions": ACTIONS,
            "most_calls": CALLS_A_MINUTE * len(PACE),
            "most_read_units": READ_UNITS_A_MINUTE,
            "ago": ago,
            "time": clock_time,
            "number": number,
            "number_of": number_of,
            "differing": differing,
            "stages": stages_of,
            "failing_names": failing_names,
        }
        self.templates.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]

    def render(self, name: str, hub: Hub, **more: Any) -> str:
        """The HTML of a template as it is now; `more`: further variables of the template."""
        return self.templates.get_template(f"{name}.html").render(hub=hub, **more)

    def app(self, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
        """The application, without its guard."""
        return Starlette(
            lifespan=lifespan,
            routes=[
                Route("/", self._index),
                Route("/events", self._events),
                Route("/totals", self._totals),
                Route("/quarantine", self._quarantine),
                Route("/verify", self._verify, methods=["POST"]),
                Route("/actions/{name}", self._dialog),
                Route("/actions/{name}/dry-run", self._dry_run, methods=["POST"]),
                Route("/actions/{name}/run", self._run, methods=["POST"]),
                Route("/lib/{name}", self._library),
                Mount("/static", StaticFiles(directory=HERE / "static")),
            ],
        )

    async def _index(self, _request: Request) -> Response:
        return _page(self.render("index", self.hub))

    async def _library(self, request: Request) -> Response:
        file = self.libraries.get(request.path_params["name"])
        return FileResponse(file) if file else PlainTextResponse("Not found.\n", 404)

    async def _events(self, request: Request) -> Response:
        return StreamingResponse(
            _as_events(self.hub, request),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
        )

    async def _totals(self, request: Request) -> Response:
        given = request.query_params
        try:
            query = Query(
                given.get("text", "")[:MOST_TEXT],
                given.get("grouping", ""),
                given.get("measure", ""),
                int(given.get("top", "0")),
                given.get("view") == "tree",
                frozenset(given.getlist("open")[:MOST_OPENED]),
                int(given.get("offset", "0")),
                int(given.get("limit", "60")),
            )
        except ValueError:
            return PlainTextResponse("top, offset and limit are whole numbers.\n", 400)
        return JSONResponse(self.hub.rows(query))

    async def _quarantine(self, request: Request) -> Response:
        reason = request.query_params.get("reason", "")[:MOST_TEXT]
        return _page(self.render("objects", self.hub, reason=reason))

    async def _verify(self, _request: Request) -> Response:
        if self.hub.commands.is_busy:
            return PlainTextResponse("Another command is running.\n", 409)
        self.hub.spawn(self.hub.verify())
        return Response(status_code=204)

    # -- changes

    def _action(self, request: Request) -> Action | None:
        action = ACTIONS.get(request.path_params["name"])
        if action is None or not self.allow_changes:
            return None
        return None if action.is_of_pipeline and not self.hub.site.stack else action

    async def _dialog(self, request: Request) -> Response:
        action = self._action(request)
        if action is None:
            return _forbidden()
        return self._dialog_of(action)

    def _dialog_of(
        self, action: Action, error: str = "", job: Job | None = None, ticket: str = ""
    ) -> Response:
        """The dialog of an action: its form with an error, if any, or the dry run with the ticket that confirms it."""
        return _page(
            self.render("dialog", self.hub, action=action, job=job, ticket=ticket, error=error)
        )

    async def _dry_run(self, request: Request) -> Response:
        """Run the command with --dry-run; the answer shows what would happen, and has the ticket to confirm it."""
        action = self._action(request)
        if action is None:
            return _forbidden()
        arguments = arguments_of(action, await _form(request))
        if arguments is None:
            return self._dialog_of(
                action, "Write a time like 6h, 2d, 2026-03-07T12:00Z or TRIM_HORIZON."
            )
        try:
            job = await self.hub.commands.run(f"{action.title}: dry run", arguments, is_dry=True)
        except Busy as busy:
            return self._dialog_of(action, f"{busy}; try again when it has ended.")
        ticket = secrets.token_urlsafe(16)
        # Only the latest dry run can be confirmed.
        self._dry_runs = {ticket: (action, arguments)}
        return self._dialog_of(action, job=job, ticket=ticket)

    async def _run(self, request: Request) -> Response:
        action = self._action(request)
        if action is None:
            return _forbidden()
        confirmed = self._dry_runs.pop((await _form(request)).get("ticket", ""), None)
        if confirmed is None or confirmed[0] is not action:
            return PlainTextResponse("Do a dry run first: it says what will happen.\n", 409)
        if self.hub.commands.is_busy:
            return PlainTextResponse("Another command is running.\n", 409)
        self.hub.spawn(self._change(action, confirmed[1]))
        return Response(status_code=204)

    async def _change(self, action: Action, arguments: tuple[str, ...]) -> None:
        job: Job = await self.hub.commands.run(action.title, arguments)
        if job.code is not None and action.name != "replay":
            await self.hub.verify()


def arguments_of(action: Action, form: Mapping[str, str]) -> tuple[str, ...] | None:
    """The command's arguments with the form's values; None if a value is not valid."""
    if action.name == "replay":
        since = form.get("since", "").strip()
        return (*action.arguments, since) if _MOMENT.fullmatch(since) else None
    reason = form.get("reason", "").strip()
    if action.name == "put-back" and reason:
        # One argument, because a separate text that begins with a dash would be read as an option.
        return (*action.arguments, f"--reason={reason}") if _REASON.fullmatch(reason) else None
    return action.arguments


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, each with its first value; {} if the body is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_FORM_BYTES:
            return {}
    fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


async def _as_events(hub: Hub, request: Request) -> AsyncIterator[str]:
    """The hub's events as server-sent events, until the page is closed.

    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """
    with hub.page() as page:
        yield "retry: 2000\n\n"
        async for event, data in page.events():
            # Sending to a closed page raises nothing.
            if await request.is_disconnected():
                return
            lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
            yield f"event: {event}\n{lines}\n"


def _page(html: str) -> Response:
    return Response(html, media_type="text/html; charset=utf-8")


def _forbidden() -> Response:
    return PlainTextResponse("This console changes nothing: start it with --allow-changes.\n", 403)
