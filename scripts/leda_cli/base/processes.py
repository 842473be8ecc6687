"""Work that is spread over processes and ends at once with Ctrl-C."""

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
    """Call `function` for each job in so many processes; yield the results in the order of the jobs.

    When the caller is interrupted, or does not ask for the rest, the processes are killed: nobody waits for them.
    """
    jobs = list(jobs)
    # Spawned, not forked: greenlets and threads of the caller stay where they are.
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
    """Let processes that are started inside never see Ctrl-C, which a terminal sends to all processes of a command.

    A child inherits that the signal is blocked; this process gets it at the end of the block. The pool starts its
    processes when it is given jobs.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
