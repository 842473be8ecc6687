"""The definition of the totals: what an image of the source table adds, at which nodes, and its version.

    {"path": "Path", "measures": {"Count": {"op": "count"}, "Value": {"op": "sum", "field": "Value"}}}

`path` is the attribute with the row's place in the hierarchy; a measure is an attribute of every total. Everything that
decides what a change adds is in here, and the version is a hash of it: changes that are computed under one version are
never mixed with those of another (`registry`).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from leda.changes import UnreadableRow
from leda.hierarchy import MAX_PATH_BYTES, SEPARATOR, nodes
from leda.numbers import NotExact, limited, number
from leda.schema import WIDEST_DECIMAL_PLACES, WIDEST_INTEGER_DIGITS
from leda.streams import Image, content

Amount = Decimal | int
Amounts = tuple[Amount, ...]

VERSION_DIGITS = 8

# What one image may add to a row of ReduceTable (`bytes_of`): the old and the new image of a change fit one row.
MAX_IMAGE_BYTES = 150_000

# An entry of a map takes one byte beside its name, a list three and one for each element, a number at most 21.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
_BYTES_OF_AN_ENTRY = 4
_BYTES_OF_A_MEASURE = 22

# A path of so many characters has at most half as many levels, so that its nodes always fit.
_SHORT_PATH, _FEW_MEASURES = 255, 40

_ZERO = Decimal(0)
_DELETED = {"BOOL": True}
_OPERATIONS = ("count", "sum")

# Within the widest limits and the 38 digits, as nearly every number is, so that it need not be measured.
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,15})?")

# A statement of PartiQL has at most 8,192 characters. That of Reduce names each measure twice, with 16 characters
# around, beside a table's name (255 characters at most) and the checkpoint's.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementRequest.html
_MOST_CHARACTERS_OF_MEASURES = 7_500
_CHARACTERS_OF_A_MEASURE = 16

# A measure is an attribute of a total, beside its key and its checkpoints, and stands in statements of PartiQL.
MEASURE_NAME = re.compile(r"(?!Identifier$|Applied)[A-Za-z][A-Za-z0-9_]*")


class ConfigurationError(ValueError):
    """The definition of the totals is not usable; the text says which part of it and why."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One attribute of every total: the number of rows (`field` None), or the sum of their attribute `field`."""

    name: str
    field: str | None


class Contribution(NamedTuple):
    """What an image adds: one amount a measure, in their order, at `path` and at every node above it."""

    path: str
    amounts: Amounts

    def negated(self) -> "Contribution":
        """What removing the image adds."""
        return Contribution(self.path, tuple([_negated(amount) for amount in self.amounts]))


def _negated(amount: Amount) -> Amount:
    # A minus would round to the digits of Decimal's context; and a 0 has no other sign.
    return amount.copy_negate() if isinstance(amount, Decimal) and amount else -amount


@dataclass(frozen=True)
class Configuration:
    """What an image adds to the totals; `document` is its canonical JSON, and `measures` are ordered by name."""

    path: str
    measures: tuple[Measure, ...]
    document: str

    @classmethod
    def from_json(cls, text: str) -> "Configuration":
        """The configuration in the JSON above. Raises ConfigurationError."""
        try:
            given = json.loads(text)
        except ValueError as error:
            raise ConfigurationError(f"CONFIGURATION is not JSON: {error}") from error
        if not isinstance(given, dict) or given.keys() != {"path", "measures"}:
            raise ConfigurationError("CONFIGURATION is not an object with `path` and `measures`")
        if not isinstance(given["path"], str) or not given["path"]:
            raise ConfigurationError("CONFIGURATION's `path` is not the name of an attribute")
        if not isinstance(given["measures"], dict) or not given["measures"]:
            raise ConfigurationError("CONFIGURATION's `measures` names no measure")
        measures = tuple(
            _measure(name, definition) for name, definition in sorted(given["measures"].items())
        )
        size = sum(2 * len(each.name) + _CHARACTERS_OF_A_MEASURE for each in measures)
        if size > _MOST_CHARACTERS_OF_MEASURES:
            raise ConfigurationError(
                f"CONFIGURATION's measures take {size} characters of a statement of DynamoDB, which has "
                f"{_MOST_CHARACTERS_OF_MEASURES} for them: use fewer measures, or shorter names"
            )
        return cls(given["path"], measures, json.dumps(given, sort_keys=True))

    @cached_property
    def version(self) -> str:
        """The hash of the document: eight hexadecimal digits."""
        return hashlib.sha256(self.document.encode()).hexdigest()[:VERSION_DIGITS]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The measures' names, in the order of a contribution's amounts."""
        return tuple(measure.name for measure in self.measures)

    @cached_property
    def _fields(self) -> tuple[str | None, ...]:
        return tuple(measure.field for measure in self.measures)

    def contribution(self, image: Image | None) -> Contribution | None:
        """What the image adds; None for no image and for a deleted row. Raises UnreadableRow.

        It depends on nothing but the image: whatever was added for an image is later removed for the same image.
        """
        if image is None or image.get("Deleted") == _DELETED:
            return None
        path = content(image, self.path, "S")
        if not path:
            raise UnreadableRow(f"the row has no {self.path} (a string)")
        if reason := _unfit(path, len(self.measures)):
            raise UnreadableRow(f"{self.path} {reason}")
        return Contribution(
            path, tuple([_amount(image, field) if field else 1 for field in self._fields])
        )


def _measure(name: str, definition: object) -> Measure:
    if not MEASURE_NAME.fullmatch(name):
        raise ConfigurationError(
            f"CONFIGURATION's measure {name!r} is not a name of letters, digits and underscores, or begins with Applied"
        )
    if not isinstance(definition, dict) or definition.get("op") not in _OPERATIONS:
        raise ConfigurationError(
            f"CONFIGURATION's measure {name} has no `op` out of {', '.join(_OPERATIONS)}"
        )
    if definition["op"] == "count":
        return Measure(name, None)
    field = definition.get("field")
    if not isinstance(field, str) or not field:
        raise ConfigurationError(f"CONFIGURATION's measure {name} has no `field` to sum")
    return Measure(name, field)


def _amount(image: Image, field: str) -> Decimal:
    text = content(image, field, "N")
    if text is None:
        raise UnreadableRow(f"the row has no {field} (a number)")
    if _PLAIN_NUMBER.fullmatch(text):
        return Decimal(text) or _ZERO  # a 0 has no sign
    try:
        return limited(number(text), WIDEST_INTEGER_DIGITS, WIDEST_DECIMAL_PLACES)
    except NotExact as error:
        raise UnreadableRow(f"{field} {error}") from error


def _unfit(path: str, measures: int) -> str | None:
    """Why AggregateTable cannot have a row for each of the path's nodes."""
    if not all(path.split(SEPARATOR)):
        return "has an empty level"
    if len(path) <= _SHORT_PATH and measures <= _FEW_MEASURES and path.isascii():
        return None
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode (a lone surrogate)"
    if size > MAX_PATH_BYTES:
        return f"has more than the {MAX_PATH_BYTES} bytes of a key"
    if bytes_of(nodes(path), measures) > MAX_IMAGE_BYTES:
        return (
            f"has so many levels that the names of its nodes take more than {MAX_IMAGE_BYTES} bytes"
        )
    return None


def bytes_of(names: "list[str] | Mapping[str, Any]", measures: int) -> int:
    """What the entries of nodes with these names take in a row of ReduceTable, at most."""
    each = _BYTES_OF_AN_ENTRY + measures * _BYTES_OF_A_MEASURE
    return sum([len(name.encode()) for name in names]) + each * len(names)
