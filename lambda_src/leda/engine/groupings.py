"""Groupings: decide which totals a row counts in, like GROUP BY with keys, conditions and levels.

    {"source": {"keys": ["source_platform", "date"], "missing": {"source_platform": "unknown"}},
     "urgent": {"keys": ["date"], "where": {"urgency": ["high"]}},
     "tags":   {"keys": ["tags[]", "created_at:day as day"], "retention_days": 400},
     "desk":   {"keys": ["RiskType", "TradeDesk", "Region"], "rollup": true}}

A total's identifier is the grouping's name and the texts of the keys, joined by colons: `source:web:2026-08-01`. In a
text, `%` is written as `%25` and `:` as `%3A`, and an empty text as `%`; so no two different keys share a total, and no
identifier is longer than it must be.

With `retention_days` a total expires that long after its time bucket has ended: readers leave it out, and time to live
removes it.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from leda.engine import attributes, hierarchy
from leda.engine.attributes import AttributePath
from leda.engine.hierarchy import SEPARATOR
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image

# The attributes of a total that say which one it is, and until when. A measure has none of these names.
GROUPING, KEYS, PARENT, EXPIRES_AT = "Grouping", "Keys", "Parent", "ExpiresAt"

# A row of StateTable that a message has deleted is still there, with the version of the deletion.
DELETED = "Deleted"

# An identifier is the sort key of the index `Children`: DynamoDB refuses a total whose identifier does not fit one.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
MAX_SORT_KEY_BYTES = 1024

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_KEY = re.compile(
    rf"(?P<path>{attributes.PATH})(?P<each>\[\])?(?::(?P<bucket>\w+))?(?: as (?P<name>[^\s:.\[\]]+))?"
)


class GroupingError(ValueError):
    """A grouping is not usable; the text says which one and why."""


class Labels(NamedTuple):
    """The parts of a total's identifier: its grouping, the texts of its keys by name, and its parent.

    `expires` is the time (epoch seconds) at which the total expires; None: it never does.
    """

    grouping: str
    keys: Mapping[str, str]
    parent: str
    expires: int | None = None

    @property
    def attributes(self) -> dict[str, dict[str, Any]]:
        """The labels as attributes of the total, in DynamoDB's JSON."""
        found: dict[str, dict[str, Any]] = {
            GROUPING: {"S": self.grouping},
            KEYS: {"M": {name: {"S": text} for name, text in self.keys.items()}},
            PARENT: {"S": self.parent},
        }
        if self.expires is not None:
            found[EXPIRES_AT] = {"N": str(self.expires)}
        return found


def escaped(text: str) -> str:
    """The text of a key as it stands in an identifier.

    >>> escaped("arn:aws:s3"), escaped("")
    ('arn%3Aaws%3As3', '%')
    """
    if not text:
        return "%"
    if "%" in text or SEPARATOR in text:
        return text.replace("%", "%25").replace(SEPARATOR, "%3A")
    return text


def unescaped(text: str) -> str:
    """The text of a key from its part of an identifier; the reverse of `escaped`."""
    if text == "%":
        return ""
    return text.replace("%3A", SEPARATOR).replace("%25", "%")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a grouping: an attribute, each element of one, or the time bucket of one."""

    name: str
    path: AttributePath
    is_each: bool
    bucket: str | None
    missing: str | None

    @classmethod
    def parse(cls, text: object, missing: Mapping[str, str]) -> "Key":
        """The key in its written form. Raises GroupingError."""
        match = _KEY.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise GroupingError(
                f"the key {str(text)[:60]!r} is not of the form <attribute>[.<attribute>][[]][:<bucket>][ as <name>]"
            )
        bucket = match["bucket"]
        if bucket is not None and bucket not in attributes.BUCKETS:
            raise GroupingError(
                f"the key {text!r} has the bucket {bucket!r}, which is not one of {', '.join(attributes.BUCKETS)}"
            )
        if bucket is not None and match["each"]:
            raise GroupingError(f"the key {text!r} has both a bucket and the elements of a list")
        path = AttributePath.parse(match["path"])
        return cls(
            match["name"] or path.text, path, bool(match["each"]), bucket, missing.get(path.text)
        )

    def texts(self, image: Image) -> Sequence[str]:
        """The key's texts for the row: one, or one for each element. Raises UnreadableRowError."""
        value = self.path.value(image)
        if value is None:
            if self.missing is None:
                raise UnreadableRowError(f"the row has no {self.path.text}")
            return [self.missing]
        if self.is_each:
            return attributes.texts_of_elements(value, self.path.text)
        if self.bucket:
            return [attributes.bucket_of(value, self.bucket, self.path.text)]
        return [attributes.text_of(value, self.path.text)]


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds for a row whose attribute has one of the texts."""

    path: AttributePath
    texts: frozenset[str]
    missing: str | None

    def holds(self, image: Image) -> bool:
        """Whether the row meets the condition; one without the attribute, or with a list in it, does not."""
        value = self.path.value(image)
        if value is None:
            return self.missing in self.texts
        try:
            return attributes.text_of(value, self.path.text) in self.texts
        except UnreadableRowError:
            return False


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
        """The grouping in its written form. Raises GroupingError."""
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
        where = _conditions(given.get("where", {}), missing)
        paths = [*(key.path for key in keys), *(condition.path for condition in where)]
        named = {path.text for path in paths}
        if strange := missing.keys() - named:
            raise GroupingError(
                f"its `missing` names {sorted(strange)}, which is no key and no condition"
            )
        days = given.get("retention_days")
        if days is not None and (not isinstance(days, int) or days < 1):
            raise GroupingError("its `retention_days` is not a whole number of at least 1")
        if days is not None and not any(key.bucket for key in keys):
            raise GroupingError(
                "it has `retention_days` and no key with a time bucket, whose end they would be counted from"
            )
        return cls(name, keys, where, given.get("rollup") is True, days)

    def leaves(self, image: Image) -> Iterator[str]:
        """The identifiers of the row's finest totals. Raises UnreadableRowError."""
        if not all(condition.holds(image) for condition in self.where):
            return
        texts = [[escaped(text) for text in key.texts(image)] for key in self.keys]
        for combination in itertools.product(*texts):
            yield SEPARATOR.join((self.name, *combination))

    def expires(self, texts: Sequence[str]) -> int | None:
        """When the total of these keys expires, in epoch seconds; None: never.

        With several buckets, the last to end counts. A total without a bucket (a level above it, or rows without a
        time) is kept.
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


def _conditions(given: object, missing: Mapping[str, str]) -> tuple[Condition, ...]:
    if not isinstance(given, dict):
        raise GroupingError("its `where` is not a map from attributes to lists of texts")
    found = []
    for path, texts in given.items():
        if not re.fullmatch(attributes.PATH, path):
            raise GroupingError(f"its `where` names {path[:60]!r}, which is no attribute")
        if (
            not isinstance(texts, list)
            or not texts
            or not all(isinstance(text, str) for text in texts)
        ):
            raise GroupingError(f"its `where` has no list of texts for {path}")
        found.append(Condition(AttributePath.parse(path), frozenset(texts), missing.get(path)))
    return tuple(found)


class Groupings:
    """All groupings of a configuration."""

    max_identifier_bytes = MAX_SORT_KEY_BYTES

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read the document's `group_by`. Raises GroupingError."""
        if not isinstance(document, dict) or not document:
            raise GroupingError("`group_by` names no grouping")
        self._groupings = {name: Grouping.parse(name, given) for name, given in document.items()}
        self._rollups = {each.name for each in self._groupings.values() if each.is_rollup}

    def leaves(self, image: Image) -> tuple[str, ...]:
        """The identifiers of the row's finest totals. Raises UnreadableRowError."""
        found: list[str] = []
        for grouping in self._groupings.values():
            found += grouping.leaves(image)
        return tuple(found)

    def nodes(self, leaf: str) -> list[str]:
        """The totals that a leaf's amounts are added to: itself, and with rollup those above it."""
        if self._rollups and leaf.partition(SEPARATOR)[0] in self._rollups:
            # The first one is the grouping's name alone.
            return hierarchy.nodes(leaf)[1:]
        return [leaf]

    def labels(self, identifier: str) -> Labels | None:
        """The total's labels; None for an identifier that these groupings do not make."""
        name, *texts = identifier.split(SEPARATOR)
        grouping = self._groupings.get(name)
        if grouping is None or not texts or len(texts) > len(grouping.keys):
            return None
        if len(texts) < len(grouping.keys) and not grouping.is_rollup:
            return None
        plain = [unescaped(text) for text in texts]
        keys = {key.name: text for key, text in zip(grouping.keys, plain, strict=False)}
        parent = identifier.rpartition(SEPARATOR)[0] if grouping.is_rollup else name
        return Labels(name, keys, parent, grouping.expires(plain))

    @property
    def attributes(self) -> set[str]:
        """The names of the row's attributes that the groupings read."""
        return set().union(*(each.attributes for each in self._groupings.values()))


class PlainKey:
    """One grouping of one key, whose text is the total's identifier, unescaped."""

    max_identifier_bytes = hierarchy.MAX_PATH_BYTES

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read the document's `group_by`. Raises GroupingError."""
        groupings = [
            Grouping.parse(name, given)
            for name, given in (document.items() if isinstance(document, dict) else ())
        ]
        if len(groupings) != 1 or len(groupings[0].keys) != 1 or groupings[0].is_rollup:
            raise GroupingError(
                "plain identifiers need one grouping of one key, without rollup: others would share totals"
            )
        self._grouping = groupings[0]

    def leaves(self, image: Image) -> tuple[str, ...]:
        """The key's texts. Raises UnreadableRowError."""
        if not all(condition.holds(image) for condition in self._grouping.where):
            return ()
        texts = tuple(self._grouping.keys[0].texts(image))
        if not all(text and text[0] != SEPARATOR for text in texts):
            name = self._grouping.keys[0].path.text
            raise UnreadableRowError(
                f"{name} is empty or begins with {SEPARATOR!r}, so it cannot be a total's key"
            )
        return texts

    @staticmethod
    def nodes(leaf: str) -> list[str]:
        """The total itself."""
        return [leaf]

    def labels(self, identifier: str) -> Labels | None:
        """The total's labels; None for an identifier that no row makes. All have one parent, for the indexes."""
        if identifier.startswith(SEPARATOR):
            return None
        grouping = self._grouping
        keys = {grouping.keys[0].name: identifier}
        return Labels(grouping.name, keys, grouping.name, grouping.expires([identifier]))

    @property
    def attributes(self) -> set[str]:
        """The names of the row's attributes that the grouping reads."""
        return self._grouping.attributes


class HierarchyPath:
    """A row's path in a tree, which is in one attribute; every level has a total."""

    max_identifier_bytes = hierarchy.MAX_PATH_BYTES

    def __init__(self, attribute: object) -> None:
        """Read the document's `path`. Raises GroupingError."""
        if not isinstance(attribute, str) or not attribute:
            raise GroupingError("`path` is not the name of an attribute")
        self._attribute = attribute

    def leaves(self, image: Image) -> tuple[str, ...]:
        """The path; nothing for a row that a message has deleted. Raises UnreadableRowError."""
        if image.get(DELETED) == {"BOOL": True}:
            return ()
        value = image.get(self._attribute)
        path = value.get("S") if isinstance(value, dict) else None
        if not isinstance(path, str) or not path:
            raise UnreadableRowError(f"the row has no {self._attribute} (a string)")
        if SEPARATOR * 2 in path or path[0] == SEPARATOR or path[-1] == SEPARATOR:
            raise UnreadableRowError(f"{self._attribute} has an empty level")
        return (path,)

    @staticmethod
    def nodes(leaf: str) -> list[str]:
        """The path's nodes, from the root down."""
        return hierarchy.nodes(leaf)

    @staticmethod
    def labels(_identifier: str) -> None:
        """None: totals of the hierarchy have an identifier alone, as in the workshop's text."""
        return

    @property
    def attributes(self) -> set[str]:
        """The names of the row's attributes that say where it stands."""
        return {self._attribute, DELETED}
