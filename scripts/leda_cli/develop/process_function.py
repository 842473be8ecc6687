"""Checks that a record processor's process.py has a function `process` that takes a record.

The file is parsed, not run, because its imports need not be installed where packages are built. Errors that cannot be
seen in the text (a decorator, a name that is bound at run time) stop the function when it starts
(leda.processor.processing).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from leda_cli.base.errors import LedaError

NAME = "process"
_DEFINE = "Define `def process(record: Record) -> None` in it: docs/record-processor.md"

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def require_process(tree: ast.Module, file: Path) -> None:
    """Raise LedaError unless the module defines a plain function `process` that takes one argument."""
    found = [node for node in tree.body if isinstance(node, _Function) and node.name == NAME]
    if not found:
        raise LedaError(f"{file} defines no function `process`.", _DEFINE)
    function = found[-1]
    where = f"{file}, line {function.lineno}: `process`"
    if function.decorator_list:
        return
    if isinstance(function, ast.AsyncFunctionDef):
        raise LedaError(
            f"{where} is `async`, so a call of it runs nothing.",
            "Define it with `def`; run a coroutine in it with asyncio.run(...).",
        )
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function)):
        raise LedaError(
            f"{where} is a generator (it has a `yield`), so a call of it runs nothing.",
            "Let it return when the record is processed, and raise if it is not.",
        )
    if not _takes_one(function.args):
        raise LedaError(
            f"{where} cannot be called with one argument, the record.",
            _DEFINE,
        )


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of the function's body, except those of functions, lambdas and classes in it."""
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, _Function | ast.Lambda | ast.ClassDef):
            left += ast.iter_child_nodes(node)


def _takes_one(given: ast.arguments) -> bool:
    positional = [*given.posonlyargs, *given.args]
    required = len(positional) - len(given.defaults)
    keywords = [default for default in given.kw_defaults if default is None]
    return required <= 1 and not keywords and bool(positional or given.vararg)
