"""Bounded cache of recently seen row versions of StateTable; it picks the cheapest first request for a message.

A producer's retry, or a batch that is delivered again, brings duplicates of messages that were just stored. The row of
such a message is not older than the message, and to read it costs a fifth of a statement that does not apply
(`statement_guess`). A newer version of a recently seen trade has an older row.

The cache is only a hint. Rows expire, are restored from backups and are changed by other execution environments, so
what is stored is decided by the answer of DynamoDB and never by the cache. That is why it can keep 64-bit hashes of the
ids, which take the same memory however long the ids are: a collision costs one request more, and no total is wrong.
"""

# Two full generations take 12 MB (measured). A shard takes at most 1,000 records a second, so 50,000 messages of one
# record each are at least the shard's last 50 seconds.
# https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
REMEMBERED = 50_000


class RecentVersions:
    """Keeps the last seen version of the `most` ids that were seen last, and of up to as many before them."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        # Two generations: the older one is dropped whole, so that nothing has to be moved when an id is met again.
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def get(self, id_: str) -> int | None:
        """Return the version that the id's row had at least when it was last seen; None if it is not known."""
        key = hash(id_)
        version = self._young.get(key)
        return self._old.get(key) if version is None else version

    def met(self, id_: str, version: int) -> None:
        """Note that the id's row has that version, or a higher one."""
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        known = self.get(id_)
        self._young[hash(id_)] = version if known is None else max(known, version)
