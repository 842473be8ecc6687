"""The machine's Chromium without a window, driven by Playwright.

https://playwright.dev/python/docs/api/class-page
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

from leda_cli.develop import toolchain

# Only a failing test waits so long.
_PATIENCE_MILLISECONDS = 90_000
_CONTROLS = "button|link|textbox|spinbutton|combobox|checkbox|radio"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium; each page is opened by a new visitor."""
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
    """Open a page; its errors go to `problems`, and the URLs that it requests to `requested`."""
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
    """The texts of the cells in a table's body, by row."""
    rows: list[list[str]] = page.locator(f"{selector} tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return rows


def is_in_view(page: Page, selector: str) -> None:
    """Require that the whole element is in the viewport, and that nothing covers its middle."""
    element = page.locator(selector).first
    expect(element).to_be_in_viewport(ratio=1)
    element.click(trial=True)


def scroll_to(page: Page, selector: str) -> None:
    """Scroll vertically until an element is in the middle of the viewport."""
    page.locator(selector).first.evaluate(
        "element => element.scrollIntoView({block: 'center', inline: 'nearest'})"
    )


def broken_words(page: Page) -> list[str]:
    """The words that are broken over two lines, except words of 20 and more characters."""
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
    """The controls without an accessible name."""
    tree = page.locator("body").aria_snapshot()
    return re.findall(rf'^\s*- (?:{_CONTROLS})\b(?! "| /).*$', tree, re.MULTILINE)
