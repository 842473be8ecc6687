"""Runs work in several processes, which end at once with Ctrl-C."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_processes(
    function: Callable[[Job], Result], jobs: Iterable[Job], processes: int
) -> Iterator[Result]:
    """Call `function` for each job in at most `processes` processes; yield the results in the order of the jobs.

    When the caller is interrupted, or does not ask for all results, the processes are killed.
    """
    jobs = list(jobs)
    # Spawned, not forked: a fork of a process with threads or greenlets may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(max(1, min(processes, len(jobs))), mp_context=context)
    try:
        with _children_not_interrupted():
            futures = [pool.submit(function, job) for job in jobs]
        for future in futures:
            yield future.result()
    except BaseException:
        for process in multiprocessing.active_children():
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _children_not_interrupted() -> Iterator[None]:
    """Start the pool's processes inside: Ctrl-C, which a terminal sends to all processes of a command, skips them.

    A child inherits the blocked signal; this process receives it at the end of the block. The pool starts its
    processes when it gets jobs.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
