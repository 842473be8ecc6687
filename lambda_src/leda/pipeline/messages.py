"""Reads a message of a producer: one version of a trade.

A field that is null counts as absent.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from leda.engine.group_by import hierarchy
from leda.pipeline.schema import Schema
from leda.values.json_text import JsonReader, NotJsonError, kind_of
from leda.values.numbers import DIGITS, NotExactError, limited

# StateTable's partition key.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
MAX_ID_BYTES = 2048
# An item has at most 400 KB. All other attributes of a row take far less than the remaining 100 KB.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items
MAX_HIERARCHY_BYTES = 300 * 1024


class BadInputError(ValueError):
    """The message cannot be read, and no retry helps; the text is the reason in the quarantine."""


@dataclass(frozen=True, slots=True)
class Message:
    """One version of one trade.

    value, path, names (the hierarchy as JSON): None if the version deletes the trade.
    timestamp: epoch seconds; None if the message has none.
    """

    id: str
    version: int
    value: Decimal | None
    path: str | None
    names: str | None
    timestamp: Decimal | None

    @property
    def deleted(self) -> bool:
        """Whether this version removes the trade from the totals."""
        return self.path is None


def parse(data: bytes, schema: Schema) -> Message:
    """Read the message in `data` (JSON, UTF-8). Raises BadInputError, which names the first wrong field."""
    fields = _fields(data)
    deleted = fields.get(schema.deleted)
    if deleted is not None and not isinstance(deleted, bool):
        raise BadInputError(f"{schema.deleted} is neither true nor false")
    identifier = _id(fields.get(schema.id), schema.id)
    version = _version(fields.get(schema.version), schema.version)
    timestamp = _timestamp(fields.get(schema.timestamp), schema.timestamp)
    if deleted:
        return Message(identifier, version, None, None, None, timestamp)
    names = fields if schema.hierarchy is None else fields.get(schema.hierarchy)
    if not isinstance(names, Mapping):
        raise BadInputError(f"{schema.hierarchy} is missing or not an object")
    try:
        path = hierarchy.join(schema.levels, names)
    except hierarchy.BadPathError as error:
        raise BadInputError(str(error)) from error
    if schema.hierarchy is None:
        names = {level: names[level] for level in schema.levels}
    return Message(
        identifier,
        version,
        _value(fields.get(schema.value), schema),
        path,
        _names(names, schema),
        timestamp,
    )


def _fields(data: bytes) -> dict[str, object]:
    if not data:
        raise BadInputError("the message is empty")
    try:
        fields = _READER.read(data)
    except NotJsonError as error:
        raise BadInputError(str(error)) from error
    if not isinstance(fields, dict):
        raise BadInputError(f"not a JSON object but {kind_of(fields)}")
    return fields


_READER = JsonReader(fraction=Decimal)
# Made once, because json.dumps makes an encoder for each call.
_ENCODER = json.JSONEncoder(sort_keys=True, default=str)


def _id(given: object, field: str) -> str:
    if not isinstance(given, str) or not given:
        raise BadInputError(f"{field} is missing or not a string")
    try:
        size = len(given.encode())
    except UnicodeEncodeError as error:
        raise BadInputError(f"{field} is not valid Unicode (a lone surrogate)") from error
    if size > MAX_ID_BYTES:
        raise BadInputError(f"{field} has {size} bytes; at most {MAX_ID_BYTES} fit a key")
    return given


def _number(given: object, field: str) -> Decimal:
    if isinstance(given, bool) or not isinstance(given, int | Decimal):
        raise BadInputError(f"{field} is missing or not a number")
    return Decimal(given)


def _version(given: object, field: str) -> int:
    version = _number(given, field)
    if version.adjusted() >= DIGITS:
        raise BadInputError(f"{field} has more than {DIGITS} digits")
    if version != version.to_integral_value():
        raise BadInputError(f"{field} is not a whole number")
    return int(version)


def _value(given: object, schema: Schema) -> Decimal:
    try:
        return limited(
            _number(given, schema.value), schema.max_integer_digits, schema.max_decimal_places
        )
    except NotExactError as error:
        raise BadInputError(f"{schema.value} {error}") from error


def _timestamp(given: object, field: str) -> Decimal | None:
    if given is None:
        return None
    try:
        # Enough digits for seconds, and for milliseconds sent by mistake, which the metric Lag would show.
        return limited(_number(given, field), 15, 20)
    except (BadInputError, NotExactError) as error:
        raise BadInputError(f"{field} is not a number of seconds") from error


def _names(names: Mapping[str, object], schema: Schema) -> str:
    try:
        text = _ENCODER.encode(names)
    except RecursionError as error:
        # Python can write fewer levels of JSON than it can read.
        raise BadInputError(f"{schema.hierarchy} is nested too deeply") from error
    if len(text) > MAX_HIERARCHY_BYTES:
        raise BadInputError(
            f"{schema.hierarchy} has {len(text)} bytes; at most {MAX_HIERARCHY_BYTES} are kept"
        )
    return text
