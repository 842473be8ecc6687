"""Times as the shop writes them: in UTC with milliseconds, so that their texts sort like the times."""

import time
from datetime import UTC, datetime, timedelta


def text(moment: datetime) -> str:
    """Return the time as text.

    >>> text(datetime(2026, 11, 21, 15, 10, tzinfo=UTC))
    '2026-11-21T15:10:00.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """Return the present time as text."""
    return after(timedelta())


def after(delay: timedelta) -> str:
    """Return the time that is `delay` after the present, as text."""
    return text(datetime.fromtimestamp(time.time(), UTC) + delay)


def sql(written: str) -> str:
    """Return a text of `text` in the form that SQL engines read as a timestamp.

    >>> sql("2026-11-21T15:10:00.123Z")
    '2026-11-21 15:10:00.123'
    """
    return written.replace("T", " ").removesuffix("Z")
