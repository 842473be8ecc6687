"""The keys and conditions of a grouping: their written form, and their values for a row."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leda.engine.group_by import attributes
from leda.engine.group_by.attributes import AttributePath
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image

_KEY = re.compile(
    rf"(?P<path>{attributes.PATH})(?P<each>\[\])?(?::(?P<bucket>\w+))?(?: as (?P<name>[^\s:.\[\]]+))?"
)


class GroupingError(ValueError):
    """The grouping is not valid; the text says which one, and why."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a grouping: an attribute, each element of an attribute, or an attribute's time bucket."""

    name: str
    path: AttributePath
    is_each: bool
    bucket: str | None
    missing: str | None

    @classmethod
    def parse(cls, text: object, missing: Mapping[str, str]) -> "Key":
        """Read a key's written form. Raises GroupingError."""
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
        """Return the key's texts for the row: one, or one for each element. Raises UnreadableRowError."""
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
    """A condition that is true for rows whose attribute has one of the texts."""

    path: AttributePath
    texts: frozenset[str]
    missing: str | None

    def holds(self, image: Image) -> bool:
        """Return whether the row meets the condition; no row without the attribute, or with a list in it, does."""
        value = self.path.value(image)
        if value is None:
            return self.missing in self.texts
        try:
            return attributes.text_of(value, self.path.text) in self.texts
        except UnreadableRowError:
            return False


def conditions(given: object, missing: Mapping[str, str]) -> tuple[Condition, ...]:
    """Read a grouping's `where`. Raises GroupingError."""
    if not isinstance(given, dict):
        raise GroupingError("its `where` is not a map from attributes to lists of texts")
    found = []
    for path, texts in given.items():
        if not re.fullmatch(attributes.PATH, path):
            raise GroupingError(
                f"its `where` names {path[:60]!r}, which is not the path of an attribute"
            )
        if (
            not isinstance(texts, list)
            or not texts
            or not all(isinstance(text, str) for text in texts)
        ):
            raise GroupingError(f"its `where` has no list of texts for {path}")
        found.append(Condition(AttributePath.parse(path), frozenset(texts), missing.get(path)))
    return tuple(found)
