"""Random tables and random groupings of them, for the plans of the system group-by.

A table has rows of several types. Texts, numbers and times are from small sets, so that groups have several rows, and
the texts are such that two keys would share a total where they were not escaped. Some rows are damaged: what a key or
a measure asks for is not there, or is of another type.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from simulation.world import EPOCH

Item = dict[str, dict[str, Any]]
Document = dict[str, Any]

SHAPES: tuple[dict[str, str], ...] = (
    {"id": "S"},
    {"id": "N"},
    {"PK": "S", "SK": "S"},
    {"user": "S", "at": "N"},
)
"""Tables' keys with their types, also those of single-table designs."""
EXPIRES_BY = "expires"

_TYPES = ("order", "user", "event")
_TEXTS = (
    *("a", "b", "c", "a:b", "b:c", "a:b:c", "", "%", ":", "%3A", "a%3Ab", "a%25"),
    *("1", "1.5", "true", "Zoë", "李 x", "arn:aws:sns:eu-west-1:1:t", "unknown"),
)
# Longer than a key may be, once it is escaped.
_LONG = ":" * 700
_NUMBERS = ("1", "1.5", "0", "-3", "1000", "12345678901234567890.5")
_SCORES = (
    *("1", "2", "-1", "0.1", "5", "100", "-7.25", "0"),
    # Beyond the limits, so Map writes them in rows of their own; a sum of them has at most 38 digits.
    *("123456789012345", "-98765432109876.5", "0.00000000000000000001"),
)
# A number of 38 digits, the highest magnitude, too many decimal places, and too many digits.
_UNCOUNTABLE = ("9" * 38, "1E+125", "1E-29", "-123456789012345678901234567890")
# Around the ends of time buckets in UTC; with a time zone, the day may differ.
_TIMES: tuple[dict[str, str], ...] = (
    {"N": "1785542399"},
    {"N": "1785542400"},
    {"N": "1785542399.9"},
    {"N": "1785542399999"},
    {"N": "1785542400000"},
    # Before 1970: rounding down and up give different days.
    {"N": "-0.5"},
    {"N": "-100051200500"},
    # With a retention of one day, totals of these days expire during the run.
    {"S": "2025-12-30T10:00:00Z"},
    {"S": "2025-12-31T12:00:00Z"},
    {"N": "1767225000"},
    {"N": "1767225600000"},
    {"S": "2026-07-31"},
    {"S": "2026-07-31T23:59:59Z"},
    {"S": "2026-08-01T00:00"},
    {"S": "2026-08-01T01:30:00+02:00"},
    {"S": "2026-07-31T20:15:00.250-04:00"},
    {"S": "2026-08-01 00:00:00"},
)
_NO_TIMES: tuple[dict[str, Any], ...] = (
    {"S": "yesterday"},
    {"S": "2026-13-01"},
    {"S": "2026-08-01T25:00"},
    {"N": "1E+40"},
    {"BOOL": True},
)
_STRANGE: tuple[dict[str, Any], ...] = (
    {"NULL": True},
    {"N": "1"},
    {"BOOL": True},
    {"M": {}},
    {"L": [{"M": {}}]},
    {"L": [{"S": "a"}, {"NULL": True}]},
    {"S": "x"},
    {"S": _LONG},
)

_KEYS = (
    *("type", "region", "region as area", "level", "flag", "team%x", "detail.region"),
    *("detail.place.city", "detail.place.city as city", "tags[]", "tags[] as tag"),
    *("at:minute", "at:hour", "at:day", "at:day as day", "at:month as month"),
)
_CONDITIONS = {
    "type": (["order"], ["order", "event"], ["user"]),
    "flag": (["true"], ["false", "no"]),
    "level": (["1", "1.5"], ["0"]),
    "region": (["a", "a:b", ""], ["b", "unknown"]),
    "detail.region": (["a"], ["b", "c"]),
}
_MEASURES: dict[str, tuple[dict[str, str], ...]] = {
    "Score": (
        {"op": "sum", "field": "score"},
        {"op": "sum", "field": "score", "missing": "0"},
        {"op": "sum", "field": "score", "missing": "2.5"},
    ),
    "Price": (
        {"op": "sum", "field": "detail.price"},
        {"op": "sum", "field": "detail.price", "missing": "-1"},
    ),
}


def row(draw: random.Random, key: Item, seconds: float) -> Item:
    """A row with this key, which may expire within `seconds` of the simulated clock."""
    made = {name: _value(draw, name) for name in _attributes(draw)}
    if draw.random() < 0.3:
        made[EXPIRES_BY] = {"N": str(int(EPOCH + draw.uniform(0, seconds)))}
    if draw.random() < 0.15:
        name = draw.choice(sorted(made))
        made[name] = _damaged(draw, name)
    return {**made, **key}


def changed(draw: random.Random, before: Item, key: Item) -> Item:
    """The row with some attributes changed, removed, damaged or corrected."""
    made = dict(before)
    for _ in range(draw.randint(1, 2)):
        name = draw.choice(("region", "type", "score", "tags", "detail", "at", "flag", "level"))
        if draw.random() < 0.1:
            made.pop(name, None)
        else:
            made[name] = _damaged(draw, name) if draw.random() < 0.1 else _value(draw, name)
    return {**made, **key}


def key(draw: random.Random, shape: Mapping[str, str], most: int) -> Item:
    """A random key; each key attribute has at most `most` values for each type of row."""
    found: Item = {}
    for name, kind in shape.items():
        number = draw.randrange(most)
        text = f"{draw.choice(_TYPES)}#{number}" if name == "PK" else f"k{number}"
        found[name] = {kind: str(number) if kind == "N" else text}
    return found


def document(draw: random.Random, shape: Mapping[str, str], *, may_keep: bool) -> Document:
    """A random configuration; one in six has plain identifiers."""
    is_plain = draw.random() < 0.16
    names = (
        ("daily",) if is_plain else draw.sample(("daily", "by-tag", "x", "y"), draw.randint(1, 4))
    )
    made: Document = {
        "group_by": {name: _grouping(draw, shape, is_plain=is_plain) for name in names},
        "measures": _measures(draw),
    }
    if is_plain:
        made["identifiers"] = "plain"
    if may_keep and draw.random() < 0.3:
        made["on_expiry"] = "keep"
    return made


def other_document(draw: random.Random, before: Document, shape: Mapping[str, str]) -> Document:
    """The configuration with a grouping or the measures changed, added or removed."""
    groupings = dict(before["group_by"])
    made = {**before, "group_by": groupings}
    if draw.random() < 0.4:
        made["measures"] = _measures(draw)
        return made
    is_plain = before.get("identifiers") == "plain"
    name = "daily" if is_plain else draw.choice(("daily", "by-tag", "x", "y", "z"))
    if name in groupings and len(groupings) > 1 and draw.random() < 0.4:
        del groupings[name]
    else:
        groupings[name] = _grouping(draw, shape, is_plain=is_plain)
    return made


def written(item: Item) -> bytes:
    """The item as data of a Put."""
    return json.dumps(item, ensure_ascii=False).encode()


def _attributes(draw: random.Random) -> Sequence[str]:
    names = ("type", "region", "level", "flag", "team%x", "detail", "tags", "at", "score")
    share = draw.choice((1.0, 0.95, 0.7))
    return [name for name in names if name == "type" or draw.random() < share]


def _value(draw: random.Random, name: str) -> dict[str, Any]:
    match name:
        case "type":
            return {"S": draw.choice(_TYPES)}
        case "level":
            return {"N": draw.choice(_NUMBERS)}
        case "flag":
            return {"BOOL": draw.random() < 0.5}
        case "at":
            return dict(draw.choice(_TIMES))
        case "score":
            return {"N": draw.choice(_SCORES)}
        case "tags":
            return _tags(draw)
        case "detail":
            return {"M": _detail(draw)}
    return {"S": draw.choice(_TEXTS)}


def _tags(draw: random.Random) -> dict[str, Any]:
    several = draw.choices(("a", "b", "a:b", "1", ""), k=draw.randint(0, 4))
    match draw.randrange(3):
        case 0:
            return {"L": [_element(draw, each) for each in several]}
        case 1:
            # DynamoDB has no empty sets and no empty strings in sets.
            return {"SS": sorted({"c", *filter(None, several)})}
    return {"NS": sorted(set(draw.choices(("1", "2", "2.5"), k=2)))}


def _element(draw: random.Random, text: str) -> dict[str, str]:
    """The text as a string; 1 may also be a number, which gives the same key."""
    return {"N": text} if text == "1" and draw.random() < 0.5 else {"S": text}


def _detail(draw: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if draw.random() < 0.9:
        found["region"] = {"S": draw.choice(_TEXTS[:6])}
    if draw.random() < 0.9:
        found["place"] = {"M": {"city": {"S": draw.choice(_TEXTS)}}}
    if draw.random() < 0.9:
        found["price"] = {"N": draw.choice(_SCORES)}
    return found


def _damaged(draw: random.Random, name: str) -> dict[str, Any]:
    if name == "score":
        return draw.choice(({"S": "5"}, *({"N": text} for text in _UNCOUNTABLE)))
    if name == "at" and draw.random() < 0.7:
        return dict(draw.choice(_NO_TIMES))
    return dict(draw.choice(_STRANGE))


def _grouping(draw: random.Random, shape: Mapping[str, str], *, is_plain: bool) -> Document:
    possible = (*_KEYS, *shape)
    keys: list[str] = []
    names: set[str] = set()
    has_list = False
    for _ in range(1 if is_plain else draw.choice((1, 1, 2, 2, 3))):
        text = draw.choice(possible)
        path, _, name = text.partition(" as ")
        path, is_list = path.partition(":")[0].removesuffix("[]"), "[]" in text
        if (name or path) in names or (is_list and has_list):
            continue
        keys.append(text)
        names.add(name or path)
        has_list |= is_list
    made: Document = {"keys": keys}
    if draw.random() < 0.4:
        path = draw.choice(sorted(_CONDITIONS))
        made["where"] = {path: draw.choice(_CONDITIONS[path])}
        if draw.random() < 0.2:
            made["where"]["type"] = ["order", "event", "unknown"]
    paths = {text.partition(" as ")[0].partition(":")[0].removesuffix("[]") for text in keys}
    missing = {
        path: draw.choice(("unknown", "a", "", "a:b"))
        for path in sorted(paths | made.get("where", {}).keys())
        if draw.random() < 0.6
    }
    if missing:
        made["missing"] = missing
    if not is_plain and not has_list and draw.random() < 0.4:
        made["rollup"] = True
    if any(":" in text for text in keys) and draw.random() < 0.5:
        made["retention_days"] = draw.choice((1, 1, 2, 400))
    return made


def _measures(draw: random.Random) -> Document:
    found: Document = {}
    if draw.random() < 0.85:
        found["Count"] = {"op": "count"}
    for name, possible in _MEASURES.items():
        if draw.random() < 0.5:
            found[name] = draw.choice(possible)
    return found or {"Rows": {"op": "count"}}
