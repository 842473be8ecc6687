"""Checks that a record processor's `process` is a function that processes a record when it is called.

A call of a generator or of an `async` function does not run its body, so every record would count as processed.
"""

import inspect

_RUNS_NOTHING = (
    "process.py's `process` is a generator or `async`, so that a call of it runs nothing: define it with `def`, "
    "without `yield`"
)


class WrongProcessError(TypeError):
    """The user's `process` cannot process a record; the text says why, and what to write in its place."""


def require_runnable(process: object) -> None:
    """Raises WrongProcessError unless it takes one argument and runs when it is called."""
    if not callable(process):
        raise WrongProcessError("process.py's `process` is not a function")
    for runs_later in (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    ):
        # An instance of a class is called by a method of its own.
        if runs_later(process) or runs_later(type(process).__call__):
            raise WrongProcessError(_RUNS_NOTHING)
    try:
        inspect.signature(process).bind(None)
    except TypeError as error:
        raise WrongProcessError(
            f"process.py's `process` cannot be called with one argument, the record: {error}"
        ) from error
    except ValueError:
        # A function that is not written in Python may have no signature; the first call will tell.
        pass


def require_ran(result: object) -> None:
    """Raises WrongProcessError if a call returned a generator or a coroutine; a decorator may hide that before."""
    if inspect.iscoroutine(result):
        result.close()  # else Python warns, when it is collected, that it never ran
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise WrongProcessError(_RUNS_NOTHING)
