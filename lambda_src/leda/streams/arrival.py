"""Reads the time at which a record was put into its stream. No total depends on it, so a bad time is not an error."""

from datetime import UTC, datetime
from functools import lru_cache

# Epoch seconds reach this number in the year 5138. Epoch milliseconds reached it in 1973.
_LEAST_OF_A_FINER_UNIT = 10**11
# Lambda's events have seconds. Records that DynamoDB writes to a Kinesis stream have milliseconds or microseconds.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateKinesisStreamingConfiguration.html
_UNITS_A_SECOND = (1, 1_000, 1_000_000)


def arrival_time(given: object) -> datetime | None:
    """Read the time (UTC) of an ApproximateCreationDateTime or approximateArrivalTimestamp; None if it is unreadable.

    The number is epoch seconds. A number that is too large for that is read as milliseconds or microseconds.

    >>> arrival_time(1616413258000) == arrival_time(1616413258.0)
    True
    """
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    return _time(given)


@lru_cache(maxsize=100)
def _time(given: float) -> datetime | None:
    """Convert epoch seconds to a time; cached, because the records of a batch have few different times."""
    for units in _UNITS_A_SECOND:
        # NaN is in no range, and an integer of any size can be compared.
        if 0 <= given < _LEAST_OF_A_FINER_UNIT * units:
            return datetime.fromtimestamp(given / units, UTC)
    return None
