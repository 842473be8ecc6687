"""One grouping: its written form, the totals that count a row, and their expiry.

With `retention_days` a total expires so many days after its time bucket has ended. Readers leave an expired total out,
and time to live removes it.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from leda.engine.group_by import attributes
from leda.engine.group_by.grouping_keys import Condition, GroupingError, Key, conditions
from leda.engine.group_by.hierarchy import SEPARATOR
from leda.engine.group_by.identifiers import escaped
from leda.streams.stream_records import Image

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Grouping:
    """A set of totals: one for each combination of its keys' texts in the rows that meet its conditions."""

    name: str
    keys: tuple[Key, ...]
    where: tuple[Condition, ...]
    is_rollup: bool
    retention_days: int | None

    @classmethod
    def parse(cls, name: str, given: object) -> "Grouping":
        """Read a grouping's written form. Raises GroupingError."""
        if not _NAME.fullmatch(name):
            raise GroupingError(
                f"the grouping {name[:80]!r} is not a name of 1 to 64 letters, digits, hyphens and underscores that "
                "begins with a letter"
            )
        try:
            return cls._parse(name, given)
        except GroupingError as error:
            raise GroupingError(f"the grouping {name}: {error}") from error

    @classmethod
    def _parse(cls, name: str, given: object) -> "Grouping":
        if not isinstance(given, dict):
            raise GroupingError("it is not an object")
        if unknown := given.keys() - {"keys", "where", "missing", "rollup", "retention_days"}:
            raise GroupingError(f"it has the unknown attributes {sorted(unknown)}")
        if not isinstance(given.get("keys"), list) or not given["keys"]:
            raise GroupingError("it has no `keys`, so all rows would be one group")
        missing = _texts(given.get("missing", {}), "missing")
        keys = tuple(Key.parse(key, missing) for key in given["keys"])
        names = [key.name for key in keys]
        if len(set(names)) < len(names):
            raise GroupingError(f"two of its keys have one name: {', '.join(names)}")
        each = [key.path.text for key in keys if key.is_each]
        if len(each) > 1:
            raise GroupingError(f"it has the elements of more than one list: {', '.join(each)}")
        if each and given.get("rollup"):
            raise GroupingError(
                f"it has both rollup and the elements of {each[0]}: a row would count once for each element at the "
                "levels above. Use a grouping for each level"
            )
        where = conditions(given.get("where", {}), missing)
        paths = [*(key.path for key in keys), *(condition.path for condition in where)]
        named = {path.text for path in paths}
        if strange := missing.keys() - named:
            raise GroupingError(
                f"its `missing` names {sorted(strange)}, which are attributes of no key and of no condition"
            )
        days = given.get("retention_days")
        if days is not None and (type(days) is not int or days < 1):
            raise GroupingError("its `retention_days` is not a whole number of at least 1")
        if days is not None and not any(key.bucket for key in keys):
            raise GroupingError(
                "it has `retention_days` and no key with a time bucket, whose end they would be counted from"
            )
        return cls(name, keys, where, given.get("rollup") is True, days)

    def leaves(self, image: Image) -> Iterator[str]:
        """Yield the identifiers of the totals of all keys that count the row. Raises UnreadableRowError."""
        if not all(condition.holds(image) for condition in self.where):
            return
        texts = [[escaped(text) for text in key.texts(image)] for key in self.keys]
        for combination in itertools.product(*texts):
            yield SEPARATOR.join((self.name, *combination))

    def expires(self, texts: Sequence[str]) -> int | None:
        """Return the time (epoch seconds) at which the total of these keys expires; None if it never does.

        With several buckets, the one that ends last counts. A total without a bucket (a level above it, or rows without
        a time) does not expire.
        """
        if self.retention_days is None:
            return None
        ends = [
            attributes.end_of_bucket(text, key.bucket)
            for key, text in zip(self.keys, texts, strict=False)
            if key.bucket
        ]
        known = [end for end in ends if end is not None]
        if not known or len(known) < len(ends):
            return None
        return int(max(known).timestamp()) + self.retention_days * 24 * 3600

    @property
    def attributes(self) -> set[str]:
        """The names of the row's attributes that the grouping reads."""
        paths = [*(key.path for key in self.keys), *(each.path for each in self.where)]
        return {path.names[0] for path in paths}


def _texts(given: object, name: str) -> Mapping[str, str]:
    if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
        raise GroupingError(f"its `{name}` is not a map of strings")
    return given
