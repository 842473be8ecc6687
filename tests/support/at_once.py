"""Calls in several threads at the same time."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor


def at_once(calls: Sequence[Callable[[], object]]) -> None:
    """Make the calls in threads that start together; raises the first one's error."""
    start = threading.Barrier(len(calls), timeout=60)

    def run(call: Callable[[], object]) -> None:
        start.wait()
        call()

    with ThreadPoolExecutor(len(calls)) as pool:
        for _ in pool.map(run, calls):
            pass
