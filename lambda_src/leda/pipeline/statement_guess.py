"""Chooses the first request about a trade that is not in the cache: the one that was cheapest for its version number.

For a message, StateTable has no row, an older row, or a row that is not older. Each kind of request is the cheapest in
one of these cases (`state_store`). The usual case depends on the version number: for version 1, there is no row if the
producer counts from 1, and an older row if it counts from 0. If many messages are duplicates, the row is usually not
older. So each execution environment counts the cases by version number.
"""

import enum
from collections.abc import Mapping

# The price of a read unit in write units. A consistent read costs one read unit for each 4 KB of a row, and a write
# costs one write unit for each 1 KB.
# https://aws.amazon.com/dynamodb/pricing/on-demand/
READ_PRICE = 0.2

# Versions from this one on are counted together, and so are those below 0, because a producer may use the time.
COUNTED_TOGETHER = 16

# Counts with a larger sum are scaled down to this sum, so that recent batches weigh more.
MOST_COUNTED = 1000
# The weight, in messages, of the assumption before the first batch: a few duplicates at the start do not change the
# guess, and a whole batch does.
PRIOR = 20


class Found(enum.Enum):
    """What StateTable has for a message."""

    ABSENT = "no row"
    OLDER = "a row of a lower version"
    NOT_OLDER = "a row of that version or a higher one"


class Request(enum.Enum):
    """The kinds of requests about a message."""

    INSERT = "a statement that is applied if there is no row; otherwise a LOOK follows"
    UPDATE = "a statement that is applied to an older row; if there is no row, an INSERT follows"
    LOOK = "a read of the row, after which an INSERT, an UPDATE or nothing follows"


# The cost of a message in write units, with all requests that follow the first one. A statement whose condition fails
# costs as much as a statement that is applied.
_COSTS: dict[Request, dict[Found, float]] = {
    Request.INSERT: {Found.ABSENT: 1, Found.OLDER: 2 + READ_PRICE, Found.NOT_OLDER: 1 + READ_PRICE},
    Request.UPDATE: {Found.ABSENT: 2, Found.OLDER: 1, Found.NOT_OLDER: 1},
    Request.LOOK: {
        Found.ABSENT: 1 + READ_PRICE,
        Found.OLDER: 1 + READ_PRICE,
        Found.NOT_OLDER: READ_PRICE,
    },
}


class Guess:
    """Counts what the table had for messages. Not thread-safe."""

    def __init__(self) -> None:
        self._counts = {version: _prior(version) for version in range(-1, COUNTED_TOGETHER + 1)}

    def best(self, version: int) -> Request:
        """Return the request that would have been cheapest for the messages with that version number so far."""
        counts = self._counts[_counted_as(version)]
        return min(
            Request,
            key=lambda request: sum(
                cost * counts[found] for found, cost in _COSTS[request].items()
            ),
        )

    def learn(self, batch: Mapping[tuple[int, Found], int]) -> None:
        """Add a batch's counts, by version number and case. All messages of a batch weigh the same."""
        for (version, found), count in batch.items():
            self._counts[_counted_as(version)][found] += count
        for version in {_counted_as(version) for version, _ in batch}:
            counts = self._counts[version]
            scale = min(1.0, MOST_COUNTED / sum(counts.values()))
            self._counts[version] = {found: count * scale for found, count in counts.items()}


def _prior(version: int) -> dict[Found, float]:
    """Return the assumed counts, for a producer that counts from 0 or 1."""
    usual = Found.ABSENT if version <= 1 else Found.OLDER
    return {found: PRIOR if found is usual else 0.0 for found in Found}


def _counted_as(version: int) -> int:
    return min(max(version, -1), COUNTED_TOGETHER)
