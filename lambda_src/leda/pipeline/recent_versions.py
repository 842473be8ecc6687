"""The versions that this environment has lately met in StateTable: what a copy is known by before it is paid for.

A producer's retry or a batch that is delivered again brings copies of what was just stored. Such a message finds a row
that is not older, and a look at it is a fifth of the price of a statement that does not apply (`statement_guess`). A
newer version of a trade that was met finds an older row.

It is a hint and never a proof. Rows expire, are restored and are changed by other environments, so nothing is decided
from memory: it only picks what to ask first, and the answer decides. For the same reason ids are kept as 64-bit
hashes, which take the same memory however long the ids are; two that collide cost a request, not a total.
"""

# Both generations full take 12 MB (measured). A shard takes at most 1,000 records a second, so 50,000 messages that are
# a record each are its last 50 seconds at least.
# https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
REMEMBERED = 50_000


class RecentVersions:
    """The version last met of each of the `most` ids that were met last, and of up to as many before them."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        # Two generations: the older one is dropped whole, so that nothing has to be moved when an id is met again.
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def get(self, id_: str) -> int | None:
        """The id's row had this version or a higher one when it was last met; None: not known."""
        key = hash(id_)
        version = self._young.get(key)
        return self._old.get(key) if version is None else version

    def met(self, id_: str, version: int) -> None:
        """The id's row has that version, or a higher one."""
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        known = self.get(id_)
        self._young[hash(id_)] = version if known is None else max(known, version)
