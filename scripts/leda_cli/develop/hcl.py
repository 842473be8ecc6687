"""Reads Terraform's files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hcl2

Arguments = dict[str, Any]

_OPTIONS = hcl2.SerializationOptions(
    with_comments=False,
    wrap_objects=True,
    wrap_tuples=True,
    explicit_blocks=False,
    preserve_heredocs=False,
    strip_string_quotes=True,
)


def blocks(text: str, kind: str) -> Iterator[tuple[tuple[str, ...], Arguments]]:
    """Yield the labels and the arguments of each block of a kind, such as `variable`.

    A string is its text, an expression is a text like `${var.name}`, and nested blocks are lists.
    """
    for block in hcl2.loads(text, serialization_options=_OPTIONS).get(kind, []):
        labels: list[str] = []
        while len(block) == 1 and isinstance(inner := next(iter(block.values())), dict):
            labels.append(next(iter(block)))
            block = inner
        yield tuple(labels), block


def expression(value: object) -> str:
    """A value as it is written in the file; a string without its quotes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text[2:-1] if text.startswith("${") and text.endswith("}") else text
