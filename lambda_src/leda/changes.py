"""A change of a table's row: what it takes out of the totals, and what it puts in."""

from collections.abc import Callable
from typing import TypeVar

from leda.streams import Image, StreamRecord

T = TypeVar("T")


class UnreadableRow(ValueError):
    """A row that counts for nothing, because of what the text says."""


def read(
    record: StreamRecord, contribution: Callable[[Image | None], T | None]
) -> tuple[T | None, T | None, list[str]]:
    """What the row added before the change, what it adds after it, and why the row as it is now cannot be read.

    `contribution` says what an image adds (None: nothing) or raises UnreadableRow. A row that cannot be read adds
    nothing until it is mended, and the change that mends it adds it: what is read of an image depends on nothing else.
    """
    if record.expired:
        # Time to live keeps the table small; it does not take anything back.
        return None, None, []
    reasons = []
    found: list[T | None] = []
    for image in (record.old, record.new):
        try:
            found.append(contribution(image))
        except UnreadableRow as error:
            found.append(None)
            if image is record.new:
                # The old image was reported when it was the new one.
                reasons.append(str(error))
    return found[0], found[1], reasons
