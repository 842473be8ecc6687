"""Cuts a stream of items into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in order, at most `size` at a time, reading no more items than the next batch needs."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
