"""Cuts a sequence into batches that a request can carry."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(
    items: Iterable[T], size: Callable[[T], int], most_size: int, most_items: int | None = None
) -> Iterator[list[T]]:
    """Yield the items in order, in lists of at most `most_items` items whose sizes add up to at most `most_size`.

    An item that is larger than `most_size` is a list of its own.

    >>> list(batches(["a", "bb", "c", "dddd"], len, 3))
    [['a', 'bb'], ['c'], ['dddd']]
    """
    batch: list[T] = []
    left = most_size
    for item in items:
        if batch and (len(batch) == most_items or size(item) > left):
            yield batch
            batch, left = [], most_size
        batch.append(item)
        left -= size(item)
    if batch:
        yield batch
