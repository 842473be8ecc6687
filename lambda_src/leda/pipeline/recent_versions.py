"""A bounded cache of the versions of StateTable's rows; with it, State chooses the cheapest first request.

After a producer's retry, or when Lambda delivers a batch again, most messages are duplicates of messages that were just
stored. To read such a message's row costs a fifth of a statement that is not applied (`statement_guess`).

The cache is only a hint: rows expire, are restored from backups, and are written by other execution environments. The
conditions of the statements decide what is stored. So the cache may store 64-bit hashes of the ids, which take the same
memory for ids of any length: a collision costs one more request, and no total is wrong.
"""

# Two full generations take 12 MB (measured). A shard accepts at most 1,000 records a second, so 50,000 records are at
# least those of the shard's last 50 seconds.
# https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
REMEMBERED = 50_000


class RecentVersions:
    """Keeps the last seen version of the `most` ids that were seen last, and of up to `most` ids before them."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        # The older generation is dropped as a whole, so that no entry has to be moved when its id is seen again.
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def get(self, id_: str) -> int | None:
        """Return the version of the id's row when it was last seen, or a lower one; None if it is not known."""
        key = hash(id_)
        version = self._young.get(key)
        return self._old.get(key) if version is None else version

    def note(self, id_: str, version: int) -> None:
        """Store that the id's row has this version, or a higher one."""
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        known = self.get(id_)
        self._young[hash(id_)] = version if known is None else max(known, version)
