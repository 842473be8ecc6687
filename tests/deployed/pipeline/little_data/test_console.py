"""`leda console` in a headless browser: a load, failures, a damaged total and its repair.

The tests write screenshots to .local/pictures, from which docs/images has some (docs/console.md).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from leda.engine.group_by.configuration import Configuration
from leda_cli.base.paths import LOCAL
from leda_cli.console.command import Served
from leda_cli.console.site import Site
from leda_cli.develop import toolchain
from leda_cli.operate.totals.comparison import EXACT
from support.browser import new_page, scroll_to, unnamed_controls
from support.console import ManyTotals, site
from support.live_aws import wait_for
from support.live_stack import LiveStack
from support.live_trades import Trades
from support.local_command import program
from support.pipeline import CONFIGURATION

PICTURES = LOCAL / "pictures"
WIDTHS = (1280, 360)
THEMES = ("light", "dark")
BAD = '{"TradeID": "<img src=x onerror=alert(1)>", "Value": "a lot"}'


@pytest.fixture(scope="module")
def served(stack: LiveStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console that may change the stack."""
    site = Site.beside(stack.aws.variables, "")
    command = program(stack.aws.variables, tmp_path_factory.mktemp("console"))
    console = Served(site, toolchain.install_console(), allow_changes=True, program=command)
    thread = threading.Thread(target=console.run)
    thread.start()
    yield console
    console.end()
    thread.join(20)
    assert not thread.is_alive(), "an open page must not keep the console from ending"


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A page that must report no error and send no request to another server."""
    problems: list[str] = []
    requested: list[str] = []
    opened = new_page(browser, problems, requested)
    opened.goto(served.address)
    expect(opened.locator("#live")).to_have_attribute("data-state", "live")
    yield opened
    opened.close()
    assert not problems
    assert all(url.startswith(served.address) for url in requested)


def verdict(page: Page, *kinds: str) -> None:
    """Wait until the page's verdict is one of these."""
    pattern = re.compile("|".join(kinds))
    expect(page.locator(".verdict")).to_have_attribute("data-verdict", pattern)


def figure(page: Page, name: str) -> int:
    text = page.locator(f"[data-row='{name}'] dd").inner_text()
    return int(text.replace(",", "")) if re.fullmatch(r"[\d,]+", text) else 0


def violations(page: Page) -> list[str]:
    """The serious and critical violations of accessibility rules that axe-core finds."""
    # Through the debugger, because the page's content security policy allows no other script.
    axe = toolchain.install_console_modules() / "axe-core" / "axe.min.js"
    page.evaluate(axe.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(result => result.violations)")
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def test_the_page_shows_a_load_failures_and_quarantined_messages(
    page: Page, stack: LiveStack, trades: Trades
) -> None:
    with stack.faults(state=30, map_=30, reduce=30), stack.steady_load(trades, seed=5):
        wait_for("messages", lambda: figure(page, "stream.records"), lambda seen: seen > 0)
        wait_for("totals", lambda: figure(page, "totals.changed"), lambda seen: seen > 0)
        expect(page.locator(".stage[data-stage=map] .pipe")).to_have_attribute(
            "data-still", "false"
        )
        verdict(page, "failing")
        expect(page.locator(".alarm", has_text="on purpose").first).to_be_visible()
        page.set_viewport_size({"width": 1280, "height": 1000})
        picture(page, "console-failing")
    stack.put([BAD.encode()])
    stack.settle(trades)
    row = page.locator("#objects .object", has_text="Version is missing").first
    row.locator("summary").click()
    expect(row.locator("pre")).to_have_text(BAD)
    page.locator("#reason").fill("no such reason")
    expect(page.locator("#objects")).to_contain_text("No reason has")
    page.locator("#reason").fill("")
    # The page verifies by itself once the streams are drained.
    verdict(page, "exact")
    assert page.locator("#grid-body [role=row]:visible").count() >= 1


def test_a_damaged_total_is_shown_and_repaired_from_the_page(
    page: Page, stack: LiveStack, trades: Trades
) -> None:
    stack.put(trades.load(20, seed=6))
    stack.settle(trades)
    stack.dynamodb.update_item(
        TableName=stack.table("aggregate"),
        Key={"Identifier": {"S": trades.root}},
        UpdateExpression="SET #v = #v + :one",
        ExpressionAttributeNames={"#v": "Value"},
        ExpressionAttributeValues={":one": {"N": "1000"}},
    )
    page.locator("#text").fill(trades.root)
    right = trades.totals()[trades.root].value
    row = page.locator("#grid-body [role=row]", has=page.get_by_text(trades.root, exact=True))
    expect(row.locator(".number:not(.minor)")).to_have_text(f"{EXACT.add(right, Decimal(1000)):,f}")
    page.locator("#verify:enabled").click()
    verdict(page, "wrong")
    differences = page.locator(".differences")
    expect(differences).to_contain_text(trades.root)
    expect(differences).to_contain_text("+1,000")
    page.locator("#action-rebuild").click()
    page.get_by_role("button", name="See what it would do").click()
    expect(page.locator("#dialog .dry")).to_contain_text("would correct 1 total")
    expect(page.locator("#dialog")).to_contain_text("leda rebuild")
    picture(page, "console-rebuild")
    page.locator("#confirm").click()
    expect(page.locator("#dialog")).not_to_be_visible()
    verdict(page, "exact")
    expect(row.locator(".number:not(.minor)")).to_have_text(f"{right:,f}")
    stack.assert_exact(trades)


def picture(page: Page, name: str) -> None:
    """Write a screenshot of the viewport."""
    page.screenshot(path=PICTURES / f"{name}.png")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
def test_the_page_is_accessible_and_fits_the_screen(page: Page, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.locator("#charts summary").click()
    expect(page.locator("#grid-body [role=row]:visible").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not violations(page)
    assert not unnamed_controls(page)
    page.locator("#charts summary").click()
    picture(page, f"console-{theme}-{width}")


def test_the_totals_can_be_browsed_by_keyboard(page: Page) -> None:
    rows = page.locator("#grid-body [role=row]:visible")
    expect(rows.first).to_be_visible()
    rows.first.focus()
    first = rows.first.get_attribute("data-id")
    assert first
    for key in ("ArrowDown", "End", "Home"):
        page.keyboard.press(key)
        focused = expect(page.locator("#grid-body [role=row]:focus"))
        if key == "Home":
            focused.to_have_attribute("data-id", first)
        else:
            focused.not_to_have_attribute("data-id", first)


@pytest.fixture(scope="module")
def crowded() -> Iterator[str]:
    """The address of a console with 10,000 totals that can read nothing else."""
    made_up = site(Configuration.from_json(CONFIGURATION), dynamodb=ManyTotals(10_000))
    console = Served(made_up, toolchain.install_console())
    thread = threading.Thread(target=console.run)
    thread.start()
    yield console.address
    console.end()
    thread.join(20)
    assert not thread.is_alive()


def test_of_ten_thousand_totals_the_page_holds_only_the_visible_rows(
    browser: Browser, crowded: str
) -> None:
    page = new_page(browser, [], [])
    page.goto(crowded)
    page.locator("#grid-body [role=row]").first.wait_for()
    expect(page.locator("#grid-note")).to_contain_text("10,000 totals")
    scroll_to(page, "#grid")
    for place, name in ((5_000, "Branch0500"), (9_990, "Branch0999"), (0, "Branch0000")):
        page.locator("#grid").evaluate(f"grid => {{ grid.scrollTop = {38 * place}; }}")
        shown = page.locator(f"#grid-body [data-id^='{name}:']").first
        expect(shown).to_be_in_viewport()
        assert page.locator("#grid-body [role=row]").count() < 100
    page.locator("#text").fill("Branch0777:Leaf7")
    expect(page.locator("#grid-body [role=row]:visible")).to_have_count(1)
    page.close()


def test_the_page_names_what_the_console_may_not_read(browser: Browser, crowded: str) -> None:
    page = new_page(browser, [], [])
    page.goto(crowded)
    expect(page.locator("#quarantine")).to_contain_text("The quarantine cannot be read since")
    expect(page.locator("#alarms")).to_contain_text("no right")
    page.close()


def test_the_page_shows_how_long_the_console_has_not_answered(browser: Browser) -> None:
    console = Served(
        site(Configuration.from_json(CONFIGURATION), dynamodb=ManyTotals(1)),
        toolchain.install_console(),
    )
    thread = threading.Thread(target=console.run)
    thread.start()
    page = new_page(browser, [], [])
    page.clock.install()
    page.goto(console.address)
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    console.end()
    thread.join(20)
    assert not thread.is_alive(), "an open page must not keep the console from ending"
    page.clock.run_for(40_000)
    expect(page.locator("#live")).to_have_attribute("data-state", "stale")
    expect(page.locator("#live-text")).to_contain_text("last heard 4")
    page.clock.run_for(60_000)
    expect(page.locator("#live")).to_have_attribute("data-state", "lost")
    page.close()
