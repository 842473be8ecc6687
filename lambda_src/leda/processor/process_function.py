"""Checks that a record processor's `process` is a function that runs when it is called with a record.

A call of a generator or of an `async` function does not run its body, so every record would count as processed.
"""

import inspect

_RUNS_NOTHING = (
    "process.py's `process` is a generator or `async`, so a call does not run it: define it with `def`, without "
    "`yield`"
)


class WrongProcessError(TypeError):
    """The user's `process` cannot process a record; the text says why, and what to write instead."""


def require_runnable(process: object) -> None:
    """Raise WrongProcessError unless `process` takes one argument and runs when it is called."""
    if not callable(process):
        raise WrongProcessError("process.py's `process` is not a function")
    for runs_later in (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    ):
        # `process` may be an instance of a class with a method __call__.
        if runs_later(process) or runs_later(type(process).__call__):
            raise WrongProcessError(_RUNS_NOTHING)
    try:
        inspect.signature(process).bind(None)
    except TypeError as error:
        raise WrongProcessError(
            f"process.py's `process` cannot be called with one argument, the record: {error}"
        ) from error
    except ValueError:
        # A function that is not written in Python may have no signature. A wrong one fails at the first call.
        pass


def require_ran(result: object) -> None:
    """Raise WrongProcessError if a call has returned a generator or a coroutine.

    `require_runnable` does not notice that if a decorator wraps the function.
    """
    if inspect.iscoroutine(result):
        result.close()  # otherwise Python warns that the coroutine was never awaited
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise WrongProcessError(_RUNS_NOTHING)
