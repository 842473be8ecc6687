"""Reads the definition of the totals, and computes what an image of the source table adds to which of them.

    {"group_by": {"source": {"keys": ["source_platform", "date"]}},
     "measures": {"Count": {"op": "count"}, "Sentiment": {"op": "sum", "field": "sentiment_score"}}}

`group_by` has the groupings (`groupings`); the pipeline has `path` in its place, the attribute with the row's place in
the hierarchy. A measure is an attribute of every total: the number of its rows, or the sum of their attribute `field`
(`missing` is added for a row that lacks it). With `"on_expiry": "keep"` a row that time to live removes stays in the
totals. With `"identifiers": "plain"` the text of the only key is a total's key.

The configuration has everything that decides what a change adds, and its version is a hash of it. Changes that were
computed by one version are never mixed with changes that were computed by another (`registry`).
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from leda.engine.group_by.attributes import PATH, AttributePath
from leda.engine.group_by.grouping_keys import GroupingError
from leda.engine.group_by.groupings import Groupings
from leda.engine.group_by.hierarchy_path import HierarchyPath
from leda.engine.group_by.plain_key import PlainKey
from leda.engine.group_by.total_labels import Labels
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image
from leda.values.limits import WIDEST_DECIMAL_PLACES, WIDEST_INTEGER_DIGITS
from leda.values.numbers import NotExactError, limited, number
from leda.values.texts import utf8_bytes

Amount = Decimal | int
Amounts = tuple[Amount, ...]

VERSION_DIGITS = 8

# The most bytes that one image may add to a row of ReduceTable (`bytes_of`), so that both images of a change fit.
MAX_IMAGE_BYTES = 150_000

# An entry of a map takes one byte beside its name, a list three and one for each element, a number at most 21.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
_BYTES_OF_AN_ENTRY = 4
_BYTES_OF_A_MEASURE = 22

# The nodes of so few leaves, with so few characters together, always fit, and need not be measured.
_FEW_CHARACTERS, _FEW_LEAVES, _FEW_MEASURES = 255, 100, 40

# A row with this attribute is a marker of `leda backfill` or `leda rebuild`, and adds nothing.
WATERMARK = "LedaWatermark"

_ZERO = Decimal(0)
_OPERATIONS = ("count", "sum")

# Such a number is within the widest limits and the 38 digits, and need not be measured. Nearly all numbers are such.
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,15})?")

# A statement of PartiQL has at most 8,192 characters. That of Reduce names each measure twice, with 16 characters
# around, beside a table's name (255 characters at most) and the checkpoint's.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementRequest.html
_MOST_CHARACTERS_OF_MEASURES = 7_500
_CHARACTERS_OF_A_MEASURE = 16

# A measure is an attribute of a total, beside its key, labels and checkpoints, and is a name in PartiQL statements.
MEASURE_NAME = re.compile(
    r"(?!(?:Identifier|Grouping|Keys|Parent|ExpiresAt)$|Applied)[A-Za-z][A-Za-z0-9_]*"
)


class ConfigurationError(ValueError):
    """The configuration is not valid; the text says which part, and why."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One attribute of every total: the number of rows (`field` None), or the sum of their attribute `field`."""

    name: str
    field: AttributePath | None
    missing: Decimal | None = None

    def amount(self, image: Image) -> Amount:
        """Return what the row adds to the measure. Raises UnreadableRowError."""
        if self.field is None:
            return 1
        value = self.field.value(image)
        if value is None and self.missing is not None:
            return self.missing
        text = None if value is None else value.get("N")
        if not isinstance(text, str):
            raise UnreadableRowError(f"the row has no {self.field.text} (a number)")
        if _PLAIN_NUMBER.fullmatch(text):
            return Decimal(text) or _ZERO  # a 0 has no sign
        try:
            return limited(number(text), WIDEST_INTEGER_DIGITS, WIDEST_DECIMAL_PLACES)
        except NotExactError as error:
            raise UnreadableRowError(f"{self.field.text} {error}") from error


class Contribution(NamedTuple):
    """What an image adds to each leaf and to the nodes above it: one amount for each measure, in their order."""

    leaves: tuple[str, ...]
    amounts: Amounts

    def negated(self) -> "Contribution":
        """Return what the removal of the image adds."""
        return Contribution(self.leaves, tuple([_negated(amount) for amount in self.amounts]))


def _negated(amount: Amount) -> Amount:
    # A minus would round to the digits of Decimal's context; and a 0 has no other sign.
    return amount.copy_negate() if isinstance(amount, Decimal) and amount else -amount


@dataclass(frozen=True)
class Configuration:
    """What an image adds to the totals; `document` is its canonical JSON, and `measures` are ordered by name."""

    # Not compared: `document` defines it.
    totals: HierarchyPath | Groupings | PlainKey = field(compare=False)
    measures: tuple[Measure, ...]
    keeps_expired: bool
    document: str

    @classmethod
    def from_json(cls, text: str) -> "Configuration":
        """Read a configuration's JSON. Raises ConfigurationError."""
        try:
            given = json.loads(text)
        except ValueError as error:
            raise ConfigurationError(f"CONFIGURATION is not JSON: {error}") from error
        if not isinstance(given, dict):
            raise ConfigurationError("CONFIGURATION is not an object")
        if unknown := given.keys() - {"path", "group_by", "measures", "on_expiry", "identifiers"}:
            raise ConfigurationError(f"CONFIGURATION has the unknown attributes {sorted(unknown)}")
        if not isinstance(given.get("measures"), dict) or not given["measures"]:
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
        if given.get("on_expiry", _SUBTRACT) not in (_SUBTRACT, _KEEP):
            raise ConfigurationError(f"CONFIGURATION's `on_expiry` is not {_SUBTRACT} or {_KEEP}")
        return cls(
            _totals(given),
            measures,
            given.get("on_expiry") == _KEEP,
            json.dumps(given, sort_keys=True),
        )

    @cached_property
    def version(self) -> str:
        """The hash of the document: eight hexadecimal digits."""
        return hashlib.sha256(self.document.encode()).hexdigest()[:VERSION_DIGITS]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The measures' names, in the order of a contribution's amounts."""
        return tuple(measure.name for measure in self.measures)

    @property
    def attributes(self) -> list[str]:
        """The names of the attributes that decide what a row adds, sorted."""
        fields = {each.field.names[0] for each in self.measures if each.field}
        return sorted({WATERMARK, *self.totals.attributes, *fields})

    @property
    def time_attribute(self) -> str | None:
        """The attribute with a row's own time, under a path: StateLambda writes the message's. None under groupings."""
        return "Timestamp" if isinstance(self.totals, HierarchyPath) else None

    def contribution(self, image: Image | None) -> Contribution | None:
        """Return what the image adds; None without an image, or if no total counts the row.

        It depends on the image alone, so that what was added for an image is later subtracted for the same image.
        Raises UnreadableRowError.
        """
        if image is None or WATERMARK in image:
            return None
        leaves = self.totals.leaves(image)
        if not leaves:
            return None
        self._require_fit(leaves)
        return Contribution(leaves, tuple([measure.amount(image) for measure in self.measures]))

    def nodes(self, leaf: str) -> list[str]:
        """Return the totals to which a leaf's amounts are added, from the root down."""
        return self.totals.nodes(leaf)

    def labels(self, identifier: str) -> Labels | None:
        """Return the total's labels; None if it has none, or if no row makes such an identifier."""
        return self.totals.labels(identifier)

    def has_total(self, identifier: str) -> bool:
        """Return whether this configuration may count a row in the total with that identifier."""
        return isinstance(self.totals, HierarchyPath) or self.labels(identifier) is not None

    def has_expired(self, identifier: str, at: float) -> bool:
        """Return whether the total has expired at that time (epoch seconds), by its grouping's `retention_days`.

        Such a total is neither read nor compared. Time to live removes its row later, and no source row brings it back.
        """
        labels = self.labels(identifier)
        return labels is not None and labels.expires is not None and labels.expires <= at

    def _require_fit(self, leaves: tuple[str, ...]) -> None:
        """Raise UnreadableRowError if the totals table cannot have a row for each of the leaves' nodes."""
        measures = len(self.measures)
        if (
            measures <= _FEW_MEASURES
            and len(leaves) <= _FEW_LEAVES
            and sum(map(len, leaves)) <= _FEW_CHARACTERS
            and all(map(str.isascii, leaves))
        ):
            return
        for leaf in leaves:
            size = utf8_bytes(leaf)
            if size is None:
                raise UnreadableRowError(
                    f"the total {leaf[:60]!r} is not valid Unicode (a lone surrogate)"
                )
            if size > (most := self.totals.max_identifier_bytes):
                raise UnreadableRowError(
                    f"the total {leaf[:60]!r} has more than the {most} bytes of a key"
                )
        nodes = {node for leaf in leaves for node in self.nodes(leaf)}
        if bytes_of(nodes, measures) > MAX_IMAGE_BYTES:
            raise UnreadableRowError(
                f"the row counts in {len(nodes)} totals, whose names and amounts take more than {MAX_IMAGE_BYTES} bytes"
            )


_SUBTRACT, _KEEP = "subtract", "keep"
_PREFIXED, _PLAIN = "prefixed", "plain"


def _totals(given: Mapping[str, Any]) -> HierarchyPath | Groupings | PlainKey:
    if ("path" in given) == ("group_by" in given):
        raise ConfigurationError("CONFIGURATION needs either `path` or `group_by`, and not both")
    identifiers = given.get("identifiers", _PREFIXED)
    if identifiers not in (_PREFIXED, _PLAIN):
        raise ConfigurationError(f"CONFIGURATION's `identifiers` is not {_PREFIXED} or {_PLAIN}")
    try:
        if "path" in given:
            return HierarchyPath(given["path"])
        if identifiers == _PLAIN:
            return PlainKey(given["group_by"])
        return Groupings(given["group_by"])
    except GroupingError as error:
        raise ConfigurationError(f"CONFIGURATION: {error}") from error


def _measure(name: str, definition: object) -> Measure:
    if not MEASURE_NAME.fullmatch(name):
        raise ConfigurationError(
            f"CONFIGURATION's measure {name!r} is not a name of letters, digits and underscores, or is that of another "
            "attribute of a total (Identifier, Grouping, Keys, Parent, ExpiresAt, Applied...)"
        )
    if not isinstance(definition, dict) or definition.get("op") not in _OPERATIONS:
        raise ConfigurationError(
            f"CONFIGURATION's measure {name} has no `op` out of {', '.join(_OPERATIONS)}"
        )
    known = {"op"} if definition["op"] == "count" else {"op", "field", "missing"}
    if unknown := definition.keys() - known:
        raise ConfigurationError(
            f"CONFIGURATION's measure {name} has the unknown attributes {sorted(unknown)}"
        )
    if definition["op"] == "count":
        return Measure(name, None)
    field = definition.get("field")
    if not isinstance(field, str) or not re.fullmatch(PATH, field):
        raise ConfigurationError(f"CONFIGURATION's measure {name} has no `field` to sum")
    if "missing" not in definition:
        return Measure(name, AttributePath.parse(field))
    try:
        missing = limited(
            number(str(definition["missing"])), WIDEST_INTEGER_DIGITS, WIDEST_DECIMAL_PLACES
        )
    except NotExactError as error:
        raise ConfigurationError(
            f"CONFIGURATION's measure {name} has a `missing` that {error}"
        ) from error
    return Measure(name, AttributePath.parse(field), missing)


def bytes_of(names: Collection[str], measures: int) -> int:
    """Return the most bytes that entries of nodes with these names take in a row of ReduceTable."""
    each = _BYTES_OF_AN_ENTRY + measures * _BYTES_OF_A_MEASURE
    return sum([len(name.encode()) for name in names]) + each * len(names)
