"""Reads a change of a table's row: what the row added to the totals before, and what it adds after."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from leda.streams.stream_records import Image, StreamRecord, image_fault

T = TypeVar("T")


class UnreadableRowError(ValueError):
    """The row cannot be read, so it is in no total; the text says why."""


def read(
    record: StreamRecord, contribution: Callable[[Image | None], T | None], *, keeps_expired: bool
) -> tuple[T | None, T | None, list[str]]:
    """Return what the row added before the change, what it adds after it, and why its new image cannot be read.

    `contribution` returns what an image adds (None: nothing), or raises UnreadableRowError. It must depend on the image
    alone: a row that cannot be read adds nothing, and the change that corrects the row then adds it. With
    `keeps_expired`, a row that time to live removes stays in the totals; otherwise it is subtracted like any deleted
    row.
    """
    if keeps_expired and record.expired:
        return None, None, []
    if fault := image_fault(record):
        # With one image of two, the row would be counted a second time, or never subtracted.
        return None, None, [fault]
    before = after = None
    reasons = []
    if record.old is not None:
        # An unreadable image was reported when it was the new image of an earlier change.
        with suppress(UnreadableRowError):
            before = contribution(record.old)
    try:
        after = contribution(record.new)
    except UnreadableRowError as error:
        reasons.append(str(error))
    return before, after, reasons
