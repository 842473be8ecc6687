"""Picks the first request about a trade that is not in the cache: the one that was cheapest for its version number.

StateTable has no row for a message, an older row, or a row that is not older. Each kind of request is right for one of
these cases and costs more in the others (`state_store`). Which case is usual depends on the version number: if the
producer counts from 1, there is no row before version 1; if it counts from 0, there is an older row; and where many
messages are duplicates, the row is not older. So the cases are counted by version number, as long as the execution
environment is warm.
"""

import enum
from collections.abc import Mapping

# The price of a read unit in write units. A consistent read takes one read unit for each 4 KB of a row, a write one
# write unit for each 1 KB.
# https://aws.amazon.com/dynamodb/pricing/on-demand/
READ_PRICE = 0.2

# Versions from here on are counted together, and so are those below 0: a producer may number by the clock.
COUNTED_TOGETHER = 16

# Larger counts are scaled down to this sum, so that recent batches weigh more.
MOST_COUNTED = 1000
# The assumption before the first batch weighs as many messages: enough that a few duplicates at the start do not change
# it, and few enough that one batch does.
PRIOR = 20


class Found(enum.Enum):
    """What the table has for a message."""

    ABSENT = "no row"
    OLDER = "a row of a lower version"
    NOT_OLDER = "a row of that version or a higher one"


class Request(enum.Enum):
    """The kinds of requests about a message."""

    INSERT = "a statement that applies where there is no row; else the row is looked at"
    UPDATE = "a statement that applies to an older row; where there is none, an INSERT follows"
    LOOK = "a read that says which of the statements to send, or that none is needed"


# What a message costs in write units, together with the requests that follow the first one. A statement whose condition
# fails costs as much as one that is applied.
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
        """Return the request that would have cost least for the messages with that version number so far."""
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
    """A trade's first version is 0 or 1 with every producer that counts."""
    usual = Found.ABSENT if version <= 1 else Found.OLDER
    return {found: PRIOR if found is usual else 0.0 for found in Found}


def _counted_as(version: int) -> int:
    return min(max(version, -1), COUNTED_TOGETHER)
