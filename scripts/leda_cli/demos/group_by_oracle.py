"""What GROUP BY must give over a table's rows: written from its documentation, with nothing of lambda_src in it.

A total is named by its grouping and the texts of its keys, not by its identifier, so that two totals with the same
identifier are noticed. Sums are fractions, as in the other oracles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import floor
from typing import Any, NamedTuple

Value = Mapping[str, Any]
Item = Mapping[str, Value]
Document = Mapping[str, Any]

# The limits of a table's partition key, and of the sort key of its index `Children`, in bytes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
_LONGEST_PLAIN_IDENTIFIER, _LONGEST_IDENTIFIER = 2048, 1024
# The sum of 10^9 numbers with so many digits before and behind the point has 38 digits.
_MOST_INTEGER_DIGITS, _MOST_DECIMAL_PLACES = 29, 28
_MILLISECONDS_FROM = 10**11
_FORMS = {"minute": "%Y-%m-%dT%H:%M", "hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}


class CannotCountError(Exception):
    """The row belongs in the quarantine; the text says why."""


class Total(NamedTuple):
    """A grouping and the texts of its keys in order; with rollup, a total may have the first keys only."""

    grouping: str
    keys: tuple[str, ...]


class _Key(NamedTuple):
    name: str
    path: str
    is_each: bool
    bucket: str


def totals(document: Document, rows: Iterable[Item]) -> dict[Total, dict[str, Fraction]]:
    """Every total over the rows, with its measures; rows that cannot be counted are left out."""
    found: dict[Total, dict[str, Fraction]] = {}
    for row in rows:
        try:
            names, amounts = counted(document, row)
        except CannotCountError:
            continue
        for total in names:
            sums = found.setdefault(total, dict.fromkeys(document["measures"], Fraction(0)))
            for measure, amount in amounts.items():
                sums[measure] += amount
    return found


def can_be_counted(document: Document, row: Item) -> bool:
    """Whether the row is counted or selected by no grouping; otherwise it belongs in the quarantine."""
    try:
        counted(document, row)
    except CannotCountError:
        return False
    return True


def counted(document: Document, row: Item) -> tuple[Sequence[Total], Mapping[str, Fraction]]:
    """The totals in which the row counts, and what it adds to each of them. Raises CannotCountError."""
    found: list[Total] = []
    for name, grouping in document["group_by"].items():
        missing = grouping.get("missing", {})
        if all(
            _meets(row, path, missing.get(path), texts)
            for path, texts in grouping.get("where", {}).items()
        ):
            keys = [_key(text) for text in grouping["keys"]]
            for texts in product(*(_texts(row, key, missing.get(key.path)) for key in keys)):
                _require_fitting(document, Total(name, texts))
                shortest = 1 if grouping.get("rollup") else len(texts)
                found += [Total(name, texts[:n]) for n in range(shortest, len(texts) + 1)]
    if not found:
        return (), {}
    return found, {name: _amount(row, given) for name, given in document["measures"].items()}


def row_of(document: Document, total: Total) -> tuple[str, dict[str, Any]]:
    """The total's key in its table; its attributes Grouping, Keys, Parent and ExpiresAt."""
    grouping = document["group_by"][total.grouping]
    names = [_key(text).name for text in grouping["keys"]]
    parts = [total.grouping, *map(_escaped, total.keys)]
    labels = {
        "Grouping": {"S": total.grouping},
        "Keys": {"M": {name: {"S": text} for name, text in zip(names, total.keys, strict=False)}},
        "Parent": {"S": ":".join(parts[:-1]) if grouping.get("rollup") else total.grouping},
    }
    if (end := expires(document, total)) is not None:
        labels["ExpiresAt"] = {"N": str(end)}
    if document.get("identifiers") == "plain":
        return total.keys[0], labels
    return ":".join(parts), labels


def expires(document: Document, total: Total) -> int | None:
    """When the total expires (epoch seconds): retention_days after the end of the last of its buckets; None: never."""
    grouping = document["group_by"][total.grouping]
    ends = [
        _end(text, key.bucket)
        for key, text in zip(map(_key, grouping["keys"]), total.keys, strict=False)
        if key.bucket
    ]
    if "retention_days" not in grouping or not ends or None in ends:
        return None
    last = max(end for end in ends if end)
    return int((last + timedelta(days=grouping["retention_days"])).timestamp())


def _end(text: str, bucket: str) -> datetime | None:
    """When the bucket ends; None for the text of a row without a time."""
    try:
        begin = datetime.strptime(text, _FORMS[bucket]).replace(tzinfo=UTC)
    except ValueError:
        return None
    if bucket == "month":
        # 31 days after the first of a month is a day of the next month.
        return (begin + timedelta(days=31)).replace(day=1)
    return begin + timedelta(**{f"{bucket}s": 1})


def _key(text: str) -> _Key:
    """A key as it is written: `<path>[[]][:<bucket>][ as <name>]`."""
    written, _, name = text.partition(" as ")
    written, _, bucket = written.partition(":")
    path = written.removesuffix("[]")
    return _Key(name or path, path, written != path, bucket)


def _escaped(text: str) -> str:
    return "".join({"%": "%25", ":": "%3A"}.get(each, each) for each in text) or "%"


def _attribute(row: Item, path: str) -> Value | None:
    """The attribute at the path; None if there is none, or if it is NULL."""
    value: Any = {"M": row}
    for name in path.split("."):
        value = value.get("M", {}).get(name)
        if value is None:
            return None
    return None if "NULL" in value else value


def _text(value: Value) -> str:
    ((kind, content),) = value.items()
    if kind in ("S", "N"):
        return str(content)
    if kind == "BOOL":
        return str(content).lower()
    raise CannotCountError(f"a {kind} is no key")


def _meets(row: Item, path: str, missing: str | None, texts: Sequence[str]) -> bool:
    value = _attribute(row, path)
    if value is None:
        return missing in texts
    try:
        return _text(value) in texts
    except CannotCountError:
        return False


def _texts(row: Item, key: _Key, missing: str | None) -> list[str]:
    value = _attribute(row, key.path)
    if value is None:
        if missing is None:
            raise CannotCountError(f"no {key.path}")
        return [missing]
    if key.bucket:
        return [_moment(value).strftime(_FORMS[key.bucket])]
    if key.is_each:
        return list(dict.fromkeys(_elements(value)))
    return [_text(value)]


def _elements(value: Value) -> Iterator[str]:
    ((kind, content),) = value.items()
    if kind == "L":
        yield from map(_text, content)
    elif kind in ("SS", "NS"):
        yield from content
    else:
        raise CannotCountError(f"a {kind} has no elements")


def _moment(value: Value) -> datetime:
    ((kind, content),) = value.items()
    try:
        if kind == "N":
            number = Fraction(content)
            if abs(number) >= _MILLISECONDS_FROM:
                number /= 1000
            return datetime.fromtimestamp(floor(number), UTC)
        if kind == "S":
            moment = datetime.fromisoformat(content)
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise CannotCountError(f"{content} is no time") from error
    raise CannotCountError(f"a {kind} is no time")


def _amount(row: Item, measure: Mapping[str, str]) -> Fraction:
    if measure["op"] == "count":
        return Fraction(1)
    value = _attribute(row, measure["field"])
    if value is None and "missing" in measure:
        return Fraction(measure["missing"])
    if value is None or "N" not in value:
        raise CannotCountError(f"{measure['field']} is no number")
    whole, _, places = format(Decimal(value["N"]), "f").lstrip("-").partition(".")
    if len(whole) > _MOST_INTEGER_DIGITS or len(places) > _MOST_DECIMAL_PLACES:
        raise CannotCountError(f"{measure['field']} has too many digits")
    return Fraction(value["N"])


def _require_fitting(document: Document, total: Total) -> None:
    """Raise CannotCountError for a total whose identifier cannot be a key of AggregateTable."""
    identifier, _ = row_of(document, total)
    is_plain = document.get("identifiers") == "plain"
    longest = _LONGEST_PLAIN_IDENTIFIER if is_plain else _LONGEST_IDENTIFIER
    if len(identifier.encode()) > longest:
        raise CannotCountError("too long")
    if not identifier or identifier.startswith(":"):
        raise CannotCountError("no key of a table, or one that is reserved")
