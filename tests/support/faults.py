"""Faults of DynamoDB calls: failures before or after the effect, and other deliveries in between."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

Send = Callable[[], Any]
Fault = Callable[[Send], Any]

CALLS = (
    "get_item",
    "put_item",
    "update_item",
    "query",
    "transact_write_items",
    "batch_execute_statement",
    "batch_get_item",
)


def instead(error: BaseException) -> Fault:
    """Fail without sending the call."""

    def fault(_send: Send) -> Any:
        raise error

    return fault


def after(error: BaseException) -> Fault:
    """Send the call, and then fail: its answer is lost."""

    def fault(send: Send) -> Any:
        send()
        raise error

    return fault


def meanwhile(something: Callable[[], object]) -> Fault:
    """Do something else before the call is sent."""

    def fault(send: Send) -> Any:
        something()
        return send()

    return fault


def statements(code: str, applied: bool) -> Fault:
    """Answer every second statement of a batch with the error code; `applied`: whether they have an effect."""

    def fault(send: Any) -> Any:
        given = send.keywords["Statements"]
        error = {"Error": {"Code": code, "Message": code}}
        if applied:
            responses = list(send()["Responses"])
            responses[::2] = [error] * len(responses[::2])
            return {"Responses": responses}
        responses = [error] * len(given)
        if given[1::2]:
            responses[1::2] = send.func(Statements=given[1::2])["Responses"]
        return {"Responses": responses}

    return fault


_of_this_test: list["Faults"] = []


def require_all_met() -> None:
    """Fail if a fault that the test has armed was never met, because the test would then prove nothing."""
    left = [armed for faults in _of_this_test for armed in faults.armed]
    _of_this_test.clear()
    assert not left, f"never met: {[(call or 'any call', nth) for call, nth, _ in left]}"


@dataclass
class Faults:
    """The faults of one execution environment's calls; `log` names the calls that were made."""

    log: list[str] = field(default_factory=list)
    armed: list[tuple[str | None, int, Fault]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        _of_this_test.append(self)

    def arm(self, call: str | None, nth: int, fault: Fault) -> None:
        """Let the nth call (from 1) of that name from now on meet the fault; None: a call of any name."""
        self.armed.append((call, self._count(call) + nth, fault))

    def disarm(self) -> bool:
        """Forget the faults that were not met; returns whether there were any."""
        was_armed = bool(self.armed)
        self.armed.clear()
        return was_armed

    def call(self, name: str, send: Send) -> Any:
        """Make the call, or let its fault decide."""
        with self._lock:
            self.log.append(name)
            met = [
                each
                for each in self.armed
                if each[:2] in ((name, self._count(name)), (None, self._count(None)))
            ]
            if met:
                self.armed.remove(met[0])
        return met[0][2](send) if met else send()

    def _count(self, call: str | None) -> int:
        return len(self.log) if call is None else self.log.count(call)


class FaultyClient:
    """A DynamoDB client whose calls may meet `faults`."""

    def __init__(self, real: Any, faults: Faults) -> None:
        self._real = real
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name not in CALLS:
            return real
        return lambda **request: self._faults.call(name, partial(real, **request))

    def get_paginator(self, name: str) -> "_Pages":
        """A paginator that makes all its calls as one call, which may fail."""
        return _Pages(self._real.get_paginator(name), name, self._faults)


class _Pages:
    def __init__(self, real: Any, name: str, faults: Faults) -> None:
        self._real, self._name, self._faults = real, name, faults

    def paginate(self, **request: Any) -> Iterator[Any]:
        pages = self._faults.call(self._name, lambda: list(self._real.paginate(**request)))
        return iter(pages)
