"""Times as the shop writes them: UTC, milliseconds, so that their texts sort as the times do."""

import time
from datetime import UTC, datetime


def text(moment: datetime) -> str:
    """`2026-11-21T15:10:00.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The time by this machine's clock."""
    return text(datetime.fromtimestamp(time.time(), UTC))


def sql(written: str) -> str:
    """The text that SQL engines read as a timestamp: `2026-11-21 15:10:00.123`."""
    return written.replace("T", " ").removesuffix("Z")
