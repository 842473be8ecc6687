"""Reads a change of a table's row: what the row added to the totals before, and what it adds after."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from leda.streams.stream_records import IMAGES, Image, StreamRecord

T = TypeVar("T")


class UnreadableRowError(ValueError):
    """A row that cannot be read and is in no total; the text says why."""


def read(
    record: StreamRecord, contribution: Callable[[Image | None], T | None], *, keeps_expired: bool
) -> tuple[T | None, T | None, list[str]]:
    """Return what the row added before the change, what it adds after it, and why its new image cannot be read.

    `contribution` says what an image adds (None: nothing) or raises UnreadableRowError. A row that cannot be read adds
    nothing until it is corrected, and the change that corrects it adds it: what is read of an image depends on
    nothing else. With `keeps_expired`, time to live keeps the table small and takes nothing back; else an expired row
    is deleted.
    """
    if keeps_expired and record.expired:
        return None, None, []
    if (record.old is not None, record.new is not None) != IMAGES.get(record.event_name):
        # With one image of two, the row would be counted a second time, or stay counted.
        return None, None, [_not_whole(record)]
    before = after = None
    reasons = []
    if record.old is not None:
        # One that cannot be read was reported when it was the new image.
        with suppress(UnreadableRowError):
            before = contribution(record.old)
    try:
        after = contribution(record.new)
    except UnreadableRowError as error:
        reasons.append(str(error))
    return before, after, reasons


def _not_whole(record: StreamRecord) -> str:
    """Return why the record has no images that show what the change did."""
    if record.event_name not in IMAGES:
        return f"eventName is not one of {', '.join(IMAGES)}"
    return (
        f"{record.event_name} without its images: the table's stream must carry NEW_AND_OLD_IMAGES"
    )
