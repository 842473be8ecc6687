"""The console's web server: access control, security headers, escaping, and actions."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from leda.engine.group_by.configuration import Configuration
from leda_cli.base.waiting import wait_for
from leda_cli.console.commands import ACTIONS, Commands
from leda_cli.console.hub import Hub
from leda_cli.console.trouble import Alarm, Listing, Object
from leda_cli.console.web import HEADERS, Guard, Web, arguments_of
from support.console import site, tree
from support.pipeline import CONFIGURATION

LIVE = Configuration.from_json(CONFIGURATION)
TOKEN = "a-token-that-nobody-guesses"
PORT = 4711
ORIGIN = f"http://127.0.0.1:{PORT}"
EVIL = "<script>alert(1)</script>\"'&"
# Prints its arguments, as a command would print its report.
ECHO = (sys.executable, "-c", "import sys, json; print(json.dumps({'arguments': sys.argv[1:]}))")


class Console:
    """A console without collectors, behind its guard."""

    def __init__(
        self,
        library: Path,
        *,
        allow_changes: bool = False,
        is_pipeline: bool = True,
        program: Sequence[str] = ECHO,
        **options: Any,
    ) -> None:
        self.web = Web({"htmx.min.js": library}, allow_changes)
        self.hub = self.web.hub = Hub(
            site(LIVE, is_pipeline=is_pipeline, **options),
            {},
            self.web.render,
            lambda tell: Commands((), tell, program),
        )
        self.client = TestClient(
            Guard(self.web.app(), TOKEN, PORT),
            base_url=ORIGIN,
            headers={"Host": f"127.0.0.1:{PORT}"},
        )

    def get(self, path: str = "", **headers: str) -> Any:
        return self.client.get(f"/{TOKEN}/{path}", headers=headers)

    def post(self, path: str, data: dict[str, str] | None = None) -> Any:
        own = {"Origin": ORIGIN}
        return self.client.post(f"/{TOKEN}/{path}", data=data, headers=own)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    file = tmp_path / "htmx.min.js"
    file.write_text("// a library")
    return file


@pytest.fixture
def console(library: Path) -> Iterator[Console]:
    yield from running(Console(library))


@pytest.fixture
def changing(library: Path) -> Iterator[Console]:
    yield from running(Console(library, allow_changes=True))


def running(made: Console) -> Iterator[Console]:
    """One event loop for all requests, as the server has."""
    with made.client:
        yield made


def wait_until_idle(console: Console) -> None:
    wait_for("the command's end", lambda: not console.hub.commands.is_busy, 60)


def test_the_page_requires_the_token(console: Console) -> None:
    assert console.get().status_code == 200
    for path in (
        "/",
        "/events",
        "/totals",
        f"/{TOKEN}",
        f"/{TOKEN}x/",
        "/static/console.css",
        "//",
    ):
        assert console.client.get(path).status_code == 404, path
    assert "leda console" in console.client.get("/").text


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT}.evil", ""]
)
def test_another_host_name_is_refused(console: Console, host: str) -> None:
    """DNS rebinding: the name of another site that resolves to 127.0.0.1."""
    assert console.get(Host=host).status_code == 421
    answer = console.client.post(
        f"/{TOKEN}/verify", headers={"Host": host, "Origin": f"http://{host}"}
    )
    assert answer.status_code == 421


def test_localhost_is_accepted_as_the_host(console: Console) -> None:
    assert console.get(Host=f"localhost:{PORT}").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:80"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_from_another_site_is_refused(console: Console, headers: dict[str, str]) -> None:
    assert console.get("totals", **headers).status_code == 403
    assert (
        console.client.post(f"/{TOKEN}/verify", headers={"Origin": ORIGIN, **headers}).status_code
        == 403
    )


def test_a_post_without_an_origin_is_refused(console: Console) -> None:
    assert console.client.post(f"/{TOKEN}/verify").status_code == 403
    assert console.hub.commands.latest is None


@pytest.mark.parametrize("path", ["", "totals", "static/console.js", "lib/htmx.min.js", "nothing"])
def test_every_response_has_the_security_headers(console: Console, path: str) -> None:
    answer = console.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    refused = console.client.get("/")
    assert {name: refused.headers[name] for name in HEADERS} == HEADERS


def test_the_page_has_no_inline_scripts_or_styles(changing: Console) -> None:
    page = changing.get().text
    for script in page.split("<script")[1:]:
        assert script.lstrip().startswith("src="), script[:80]
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick" not in page
    assert "//" not in page.replace("http://www.w3.org", ""), "nothing comes from elsewhere"


def test_no_other_file_is_served(console: Console) -> None:
    assert console.get("lib/htmx.min.js").text == "// a library"
    for path in ("lib/console.css", "lib/..%2Fweb.py", "static/../web.py", "static/%2e%2e/web.py"):
        assert console.get(path).status_code == 404, path


def test_data_is_escaped_wherever_it_is_shown(changing: Console) -> None:
    hub = changing.hub
    hub.listing = Listing(1, (Object("key" + EVIL, "state", "record", EVIL, 5.0, EVIL, EVIL),))
    hub.alarms = [Alarm(EVIL, EVIL, None)]
    hub.board.take(tree({EVIL: "1"}), 1.0)
    page = changing.get().text + changing.get("quarantine").text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5
    answer = changing.get("totals")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["rows"][0]["id"] == EVIL


def test_no_credentials_are_in_the_page(library: Path) -> None:
    from types import SimpleNamespace

    made = Console(library, allow_changes=True)
    account: Any = made.hub.site.account
    account.environment = {"AWS_SECRET_ACCESS_KEY": "a-secret-of-the-account"}
    assert isinstance(account, SimpleNamespace)
    with made.client:
        assert "a-secret" not in made.get().text


def test_objects_are_filtered_by_reason(console: Console) -> None:
    console.hub.listing = Listing(
        2,
        tuple(
            Object(name, "state", "record", reason, None, "", "")
            for name, reason in (("1", "Value is no number"), ("2", "level Region is missing"))
        ),
    )
    shown = console.get("quarantine?reason=REGION").text
    assert "level Region is missing" in shown
    assert "no number" not in shown
    assert (
        "No reason has “none of them” in it" in console.get("quarantine?reason=none of them").text
    )


@pytest.mark.parametrize("query", ["offset=x", "limit=1e9", "top="])
def test_an_invalid_query_is_refused(console: Console, query: str) -> None:
    assert console.get(f"totals?{query}").status_code == 400


# -- changes


def test_changes_are_refused_unless_they_are_allowed(console: Console) -> None:
    for name in ACTIONS:
        assert console.get(f"actions/{name}").status_code == 403
        assert console.post(f"actions/{name}/dry-run").status_code == 403
        assert console.post(f"actions/{name}/run", {"ticket": ""}).status_code == 403
    assert console.hub.commands.latest is None
    assert "Repair it" not in console.get().text


def ticket_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.text.split('name="ticket" value="')[1].split('"')[0])


def test_a_change_needs_the_ticket_of_its_dry_run(changing: Console) -> None:
    dry = changing.post("actions/put-back/dry-run", {"reason": "decimal places"})
    job = changing.hub.commands.latest
    assert job is not None
    assert job.arguments == ("redrive", "--put-back", "--reason=decimal places", "--dry-run")
    assert "redrive" in "".join(job.lines), "what the dry run said"
    assert "Put messages back now" in dry.text
    assert changing.post("actions/put-back/run", {"ticket": "guessed"}).status_code == 409
    assert changing.post("actions/rebuild/run", {"ticket": ticket_of(dry)}).status_code == 409
    dry = changing.post("actions/put-back/dry-run", {"reason": "decimal places"})
    assert changing.post("actions/put-back/run", {"ticket": ticket_of(dry)}).status_code == 204
    wait_until_idle(changing)
    assert (
        changing.post("actions/put-back/run", {"ticket": ticket_of(dry)}).status_code == 409
    ), "once"


def test_an_instance_over_a_table_offers_no_put_back_and_no_replay(library: Path) -> None:
    made = Console(library, allow_changes=True, is_pipeline=False)
    with made.client:
        for name in ("settle", "rebuild"):
            assert made.get(f"actions/{name}").status_code == 200
        for name in ("put-back", "replay"):
            assert made.get(f"actions/{name}").status_code == 403
        assert "Replay" not in made.get().text


@pytest.mark.parametrize(
    ("name", "form", "arguments"),
    [
        ("replay", {"since": "6h"}, ("replay", "--from", "6h")),
        ("replay", {"since": "TRIM_HORIZON"}, ("replay", "--from", "TRIM_HORIZON")),
        (
            "replay",
            {"since": "2026-03-07T12:00+01:00"},
            ("replay", "--from", "2026-03-07T12:00+01:00"),
        ),
        ("replay", {"since": "--until"}, None),
        ("replay", {}, None),
        ("put-back", {"reason": "--settle"}, ("redrive", "--put-back", "--reason=--settle")),
        ("put-back", {"reason": "a\nb"}, None),
        ("put-back", {"reason": " "}, ("redrive", "--put-back")),
        ("rebuild", {"reason": "x", "since": "x"}, ("rebuild",)),
    ],
)
def test_form_values_never_become_options(
    name: str, form: dict[str, str], arguments: tuple[str, ...] | None
) -> None:
    assert arguments_of(ACTIONS[name], form) == arguments


def test_an_invalid_time_is_refused_with_a_hint(changing: Console) -> None:
    answer = changing.post("actions/replay/dry-run", {"since": "yesterday"})
    assert "Write a time" in answer.text
    assert changing.hub.commands.latest is None


def test_a_form_that_is_too_long_is_ignored(changing: Console) -> None:
    answer = changing.post("actions/put-back/run", {"ticket": "x" * 100_000})
    assert answer.status_code == 409


def test_only_one_command_runs_at_a_time(library: Path) -> None:
    program = "import signal, sys; print('begun', file=sys.stderr, flush=True); signal.pause()"
    waits = (sys.executable, "-c", program)
    made = Console(library, allow_changes=True, program=waits)
    with made.client:
        assert made.post("verify").status_code == 204
        wait_for("its first line", lambda: bool((job := made.hub.commands.latest) and job.lines))
        assert made.post("verify").status_code == 409
        assert "another command is running" in made.post("actions/rebuild/dry-run").text
        assert made.client.portal is not None
        # It returns when the command has ended, which by itself it never does.
        made.client.portal.call(made.hub.commands.stop)
        wait_for("the command's end", lambda: not made.hub.commands.is_busy)


# -- what verify says


@contextmanager
def verified(library: Path, report: str) -> Iterator[Console]:
    program = (
        sys.executable,
        "-c",
        f"import sys; print('adding up', file=sys.stderr); print({report!r})",
    )
    made = Console(library, program=program)
    made.hub.board.take(tree({"A": "1"}), 1.0)
    with made.client:
        assert made.post("verify").status_code == 204
        wait_for("the verification", lambda: made.hub.verification is not None, 60)
        yield made


def test_a_verification_lists_the_differences(library: Path) -> None:
    wrong = {
        "identifier": "A<b>",
        "measure": "Value",
        "expected": "1234.50",
        "found_between": ["1", "1"],
        "off": "-1233.50",
    }
    report = {"totals": 18, "trades": 2000, "wrong": [wrong], "in_flight": [], "notes": ["a note"]}
    with verified(library, json.dumps(report)) as made:
        job = made.hub.commands.latest
        assert job is not None
        assert job.arguments == ("verify", "--while-running", "--wait", "10.0", "--json")
        page = made.get().text
        assert "1 of 18 totals differ" in page
        assert "1,234.50" in page
        assert "-1,233.50" in page
        assert "A&lt;b&gt;" in page
        assert 'data-verdict="wrong"' in page
        assert [each.name for each in made.hub.alarms] == ["AuditLambda-drift"]


def test_totals_are_shown_as_exact_until_they_change(library: Path) -> None:
    report = {"totals": 1, "trades": 7, "wrong": [], "in_flight": []}
    with verified(library, json.dumps(report)) as made:
        assert 'data-verdict="exact"' in made.get().text
        made.hub.board.take(tree({"A": "2"}), 2.0)
        assert 'data-verdict="moved-on"' in made.get().text


def test_a_failed_verification_shows_its_output(library: Path) -> None:
    with verified(library, "no JSON") as made:
        page = made.get().text
        assert 'data-verdict="unknown"' in page
        assert "adding up" in page
