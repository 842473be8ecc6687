"""Times as the shop writes them: UTC, milliseconds, so that their texts sort as the times do."""

import time
from datetime import UTC, datetime, timedelta


def text(moment: datetime) -> str:
    """`2026-11-21T15:10:00.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The time by this machine's clock."""
    return after(timedelta())


def after(delay: timedelta) -> str:
    """The time by this machine's clock when so much more has passed."""
    return text(datetime.fromtimestamp(time.time(), UTC) + delay)


def sql(written: str) -> str:
    """The text that SQL engines read as a timestamp: `2026-11-21 15:10:00.123`."""
    return written.replace("T", " ").removesuffix("Z")
