"""Cuts a stream of items into batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batched(
    items: Iterable[T],
    size: int,
    weight: Callable[[T], int] = lambda _item: 0,
    most: float = math.inf,
) -> Iterator[list[T]]:
    """Yield the items in order, at most `size` at a time, whose weights are at most `most` together.

    An item that is heavier than that stands alone. Without weights no more items are read than the next batch needs.
    """
    batch: list[T] = []
    total = 0
    for item in items:
        more = weight(item)
        if batch and total + more > most:
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += more
        if len(batch) == size:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
