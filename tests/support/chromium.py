"""A headless Chromium, driven through its DevTools protocol over a pipe: no driver program, no Node, no open port.

https://chromedevtools.github.io/devtools-protocol/ ; the pipe is `--remote-debugging-pipe`: Chromium reads commands
from descriptor 3 and writes answers and events to descriptor 4, each a JSON object that ends with a zero byte.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SWITCHES = (
    "--headless",
    # The tests may run as root, whom Chromium's sandbox refuses; the pages are the project's own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--remote-debugging-pipe",
)
# Only a test that fails waits so long.
PATIENCE_SECONDS = 90.0
_ABOVE_THE_PIPES = 10


class BrowserError(AssertionError):
    """The browser did not do what it was told, or not in time."""


class _Pipe:
    """Commands to Chromium, answers and events from it."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self._next(deadline, method)
            if answer.get("id") != self._number:
                self.events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self, deadline: float, method: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select(
                [self._answers], [], [], max(0, deadline - time.monotonic())
            )
            if not ready:
                raise BrowserError(f"{method}: no answer within {PATIENCE_SECONDS:.0f} s")
            data = os.read(self._answers, 1 << 20)
            if not data:
                raise BrowserError(f"{method}: Chromium has ended")
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


class Page:
    """One tab. Selectors are CSS."""

    def __init__(self, pipe: _Pipe, width: int, height: int) -> None:
        self._pipe = pipe
        target = pipe.call("Target.createTarget", url="about:blank")["targetId"]
        attached = pipe.call("Target.attachToTarget", targetId=target, flatten=True)
        self._target: str = target
        self._session: str = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def close(self) -> None:
        """Close the tab."""
        self._pipe.call("Target.closeTarget", targetId=self._target)

    def open(self, url: str) -> None:
        """Load a page."""
        if error := self._call("Page.navigate", url=url).get("errorText"):
            raise BrowserError(f"{url}: {error}")

    def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression is (a promise: what it becomes), as JSON has it."""
        answer = self._call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, what: str, expression: str) -> Any:
        """Wait until an expression is true, through page loads; return what it is."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(BrowserError):  # a page that goes takes what runs on it along
                if value := self.evaluate(expression):
                    return value
            if time.monotonic() > deadline:
                raise BrowserError(
                    f"{what}: not within {PATIENCE_SECONDS:.0f} s; {self.describe()}"
                )
            time.sleep(0.05)

    def wait_for_text(self, text: str, selector: str = "body") -> None:
        """Wait until an element shows a text."""
        shown = f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(text)})"
        self.wait_for(f"{text!r} in {selector}", shown)

    def text(self, selector: str = "body") -> str:
        """What an element shows as soon as it is there."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{selector} to read", f"!!{found}")
        return str(self.evaluate(f"{found}.innerText"))

    def table(self, selector: str) -> list[list[str]]:
        """The rows of a table's body, as they are shown."""
        rows: list[list[str]] = self.evaluate(
            f"[...document.querySelectorAll({json.dumps(selector + ' tbody tr')})]"
            ".map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        )
        return rows

    def click(self, selector: str) -> None:
        """Click an element as soon as it is there and enabled."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{selector} to click", f"{found} && !{found}.disabled")
        self.evaluate(f"{found}.click()")

    def fill(self, selector: str, text: str) -> None:
        """Type a text into a field as soon as it is there, over what it holds."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{selector} to fill", f"!!{found}")
        self.evaluate(f"({found}.focus(), {found}.select())")
        self._call("Input.insertText", text=text)

    def in_view(self, selector: str) -> bool:
        """Whether a person sees the whole element on the screen as it stands, and nothing covers its middle."""
        look = """(element => {
            if (!element) return false;
            const {left, right, top, bottom} = element.getBoundingClientRect();
            const middle = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
            return left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight
                && right > left && element.contains(middle);
        })"""
        return bool(self.evaluate(f"{look}(document.querySelector({json.dumps(selector)}))"))

    def scroll_to(self, selector: str) -> None:
        """Scroll up or down, and never to a side, until an element is in the middle of the screen."""
        self.wait_for(
            f"{selector} to scroll to", f"!!document.querySelector({json.dumps(selector)})"
        )
        self.evaluate(
            f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center', inline: 'nearest'}})"
        )

    def broken_words(self) -> list[str]:
        """The words that do not stand on one line, without those that are longer than any name."""
        found: list[str] = self.evaluate("""(() => {
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
        })()""")
        return found

    def unnamed_controls(self) -> list[str]:
        """The controls that a screen reader could only call "button" or "edit text": they have no name."""
        roles = {"button", "link", "textbox", "spinbutton", "combobox", "checkbox", "radio"}
        return [
            f"{node['role']['value']} {node.get('backendDOMNodeId')}"
            for node in self._call("Accessibility.getFullAXTree")["nodes"]
            if not node.get("ignored")
            and node.get("role", {}).get("value") in roles
            and not node.get("name", {}).get("value")
        ]

    def screenshot(self, file: Path) -> None:
        """Write the whole page to a PNG file."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self._call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def requested(self) -> list[str]:
        """The URL of every request so far."""
        return [
            event["params"]["request"]["url"]
            for event in self._events()
            if event["method"] == "Network.requestWillBeSent"
        ]

    def problems(self) -> list[str]:
        """What a developer would see in red in the console: exceptions, errors, what the policy refused."""
        found = []
        for event in self._events():
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled" and parameters["type"] == "error":
                found.append(str(parameters["args"]))
            elif event["method"] == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                found.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        return found

    def describe(self) -> str:
        """Where the page is, what it shows and what went wrong: for a test that fails."""
        with contextlib.suppress(BrowserError):
            where = self.evaluate("location.href + ' ' + document.body.innerText.slice(0, 1500)")
            return f"{where}; problems: {self.problems()}"
        return "the page does not answer"

    def _events(self) -> list[dict[str, Any]]:
        self.evaluate("0")  # what happened before is there when this is answered
        return [event for event in self._pipe.events if event.get("sessionId") == self._session]

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._pipe.call(method, self._session, **parameters)


class Chromium:
    """A running browser."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe

    def page(self, width: int = 1280, height: int = 800) -> Page:
        """Open a tab of so many CSS pixels."""
        return Page(self._pipe, width, height)


@contextmanager
def chromium(executable: str, profile: Path) -> Iterator[Chromium]:
    """Start Chromium with an empty profile folder of its own; it is gone at the end."""
    inputs, commands = _high_pipe()
    answers, outputs = _high_pipe()
    process = os.posix_spawn(
        executable,
        [executable, *SWITCHES, f"--user-data-dir={profile}", "about:blank"],
        {**os.environ, "HOME": str(profile)},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, inputs, 3),
            (os.POSIX_SPAWN_DUP2, outputs, 4),
            (os.POSIX_SPAWN_OPEN, 2, str(profile) + ".log", os.O_WRONLY | os.O_CREAT, 0o600),
        ],
        setpgroup=0,
    )
    os.close(inputs)
    os.close(outputs)
    try:
        yield Chromium(_Pipe(commands, answers))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(commands)
        os.close(answers)


def _high_pipe() -> tuple[int, int]:
    """A pipe whose ends are not among the descriptors that the child gets."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _ABOVE_THE_PIPES) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]
