"""The machine's Chromium without a window, driven by Playwright.

https://playwright.dev/python/docs/api/class-page
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

from leda_cli.develop import toolchain

# Only a test that fails waits so long.
_PATIENCE_MILLISECONDS = 90_000
_CONTROLS = "button|link|textbox|spinbutton|combobox|checkbox|radio"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium; a page that is opened in it is a visitor who was never here."""
    expect.set_options(timeout=_PATIENCE_MILLISECONDS)
    with (
        sync_playwright() as playwright,
        closing(
            playwright.chromium.launch(
                executable_path=toolchain.install_chromium(), args=["--no-proxy-server"]
            )
        ) as browser,
    ):
        yield browser


def new_page(browser: Browser, problems: list[str], requested: list[str]) -> Page:
    """Open a page, and note what it requests and what a developer would see in red in the console."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(_PATIENCE_MILLISECONDS)
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: (
            problems.append(f"{message.text} {message.location['url']}")
            if message.type == "error"
            else None
        ),
    )
    return page


def shows(page: Page, text: str, selector: str = "body") -> None:
    """Wait until an element shows a text."""
    expect(page.locator(selector).first).to_contain_text(text, use_inner_text=True)


def table(page: Page, selector: str) -> list[list[str]]:
    """The rows of a table's body, as they are shown."""
    rows: list[list[str]] = page.locator(f"{selector} tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return rows


def is_in_view(page: Page, selector: str) -> None:
    """Require that a person sees the whole element on the screen as it stands, and that nothing covers its middle."""
    element = page.locator(selector).first
    expect(element).to_be_in_viewport(ratio=1)
    element.click(trial=True)


def scroll_to(page: Page, selector: str) -> None:
    """Scroll up or down, and never to a side, until an element is in the middle of the screen."""
    page.locator(selector).first.evaluate(
        "element => element.scrollIntoView({block: 'center', inline: 'nearest'})"
    )


def broken_words(page: Page) -> list[str]:
    """The words that do not stand on one line, without those that are longer than any name."""
    found: list[str] = page.evaluate("""() => {
        const found = [];
        const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
        for (let text = texts.nextNode(); text; text = texts.nextNode()) {
            if (text.parentElement.closest('code')) continue;
            for (const {0: word, index} of text.data.matchAll(/[^\\s-]+/g)) {
                const range = document.createRange();
                range.setStart(text, index);
                range.setEnd(text, index + word.length);
                if (word.length < 20 && range.getClientRects().length > 1) found.push(word);
            }
        }
        return found;
    }""")
    return found


def unnamed_controls(page: Page) -> list[str]:
    """The controls that a screen reader could only call "button" or "edit text": they have no name."""
    tree = page.locator("body").aria_snapshot()
    return re.findall(rf'^\s*- (?:{_CONTROLS})\b(?! "| /).*$', tree, re.MULTILINE)
