"""Reads the attributes of a row: nested ones, texts of keys, and time buckets.

The result depends on the image alone, so the same image gives the same text at every delivery, and when it is
subtracted years later.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import floor
from typing import Any

from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image
from leda.values.numbers import NotExactError, number

BUCKETS = {
    "minute": "%Y-%m-%dT%H:%M",
    "hour": "%Y-%m-%dT%H",
    "day": "%Y-%m-%d",
    "month": "%Y-%m",
}

ATTRIBUTE_NAME = r"[^\s.:\[\]]+"
PATH = rf"{ATTRIBUTE_NAME}(?:\.{ATTRIBUTE_NAME})*"

Value = Mapping[str, Any]

# Epoch milliseconds reached this number in 1973, and epoch seconds will in the year 5138.
_FIRST_MILLISECONDS = 10**11

# Python's own parser accepts other forms in other versions of Python.
_ISO_8601 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]+)?)?(?:(Z)|([+-])([0-9]{2}):?([0-9]{2}))?)?"
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The texts of buckets, and the number of parts (year, month, day, hour, minute) that each has.
_BUCKET = re.compile(r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2})(?::([0-9]{2}))?)?)?")
_PARTS = {"month": 2, "day": 3, "hour": 4, "minute": 5}


@dataclass(frozen=True, slots=True)
class AttributePath:
    """The path of an attribute: the names of the row's attribute and of maps' entries below it, written with dots."""

    text: str
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "AttributePath":
        """Read a path from a text of the form PATH."""
        return cls(text, tuple(text.split(".")))

    def value(self, image: Image) -> Value | None:
        """Return the attribute in DynamoDB's JSON; None if the image has no such attribute, or NULL."""
        value: Any = image.get(self.names[0])
        for name in self.names[1:]:
            if not isinstance(value, dict) or not isinstance(inner := value.get("M"), dict):
                return None
            value = inner.get(name)
        return value if isinstance(value, dict) and "NULL" not in value else None


def text_of(value: Value, path: str) -> str:
    """Return the text of a string, a number or a boolean. Raises UnreadableRowError for any other type."""
    if isinstance(text := value.get("S", value.get("N")), str):
        return text
    if isinstance(truth := value.get("BOOL"), bool):
        return "true" if truth else "false"
    raise UnreadableRowError(f"{path} is not a string, a number or a boolean")


def texts_of_elements(value: Value, path: str) -> Sequence[str]:
    """Return the texts of the elements of a list or a set, without duplicates. Raises UnreadableRowError."""
    for kind in ("SS", "NS"):
        if isinstance(members := value.get(kind), list) and all(
            isinstance(each, str) for each in members
        ):
            return list(dict.fromkeys(members))
    if isinstance(elements := value.get("L"), list):
        found = [
            text_of(each if isinstance(each, dict) else {}, f"an element of {path}")
            for each in elements
        ]
        return list(dict.fromkeys(found))
    raise UnreadableRowError(f"{path} is not a list, or a set of strings or numbers")


def bucket_of(value: Value, bucket: str, path: str) -> str:
    """Return the text of the minute, hour, day or month (in UTC) of a time. Raises UnreadableRowError.

    A number is a time in epoch seconds, or from 10^11 on in milliseconds. A string is a time of ISO 8601, in UTC if it
    names no zone.
    """
    if isinstance(text := value.get("N"), str):
        moment = _of_epoch(text)
    elif isinstance(text := value.get("S"), str):
        moment = _of_iso_8601(text)
    else:
        moment = None
    if moment is None:
        raise UnreadableRowError(f"{path} is not a time (epoch seconds, milliseconds or ISO 8601)")
    # strftime pads the year on some systems, and does not on others.
    return f"{moment.year:04d}" + moment.strftime(BUCKETS[bucket].removeprefix("%Y"))


def end_of_bucket(text: str, bucket: str) -> datetime | None:
    """Return the time at which the bucket of that text ends; None for a text that `bucket_of` does not return."""
    match = _BUCKET.fullmatch(text)
    if match is None or sum(part is not None for part in match.groups()) != _PARTS[bucket]:
        return None
    year, month, day, hour, minute = (int(part or 0) for part in match.groups())
    try:
        if bucket == "month":
            return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return datetime(year, month, day, hour, minute, tzinfo=UTC) + timedelta(**{bucket + "s": 1})
    except (ValueError, OverflowError):
        return None


def _of_epoch(text: str) -> datetime | None:
    try:
        given = number(text)
    except NotExactError:
        return None
    # Comparisons and `floor` are exact. Decimal's operators and `abs` round a long number to the digits of the context,
    # and Map and `leda verify` have different ones.
    are_seconds = -_FIRST_MILLISECONDS < given < _FIRST_MILLISECONDS
    seconds = floor(given) if are_seconds else floor(given) // 1000
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _of_iso_8601(text: str) -> datetime | None:
    match = _ISO_8601.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    sign, hours, minutes = match[8], int(match[9] or 0), int(match[10] or 0)
    if hours > 23 or minutes > 59:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return moment + offset if sign == "-" else moment - offset
    except (ValueError, OverflowError):
        return None
