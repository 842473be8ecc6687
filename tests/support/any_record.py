"""Malformed records: a field is missing, null, of another type, huge, negative or late."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

Place = tuple[str | int, ...]

# Set by the event source mapping; a record of another source is refused.
OF_THE_MAPPING = {("eventSource",), ("eventSourceARN",)}

_DELETED = object()


def _nested(levels: int) -> Any:
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found


def _nested_value(levels: int) -> Any:
    found: Any = {"S": "deep"}
    for _ in range(levels):
        found = {"M": {"m": found}}
    return found


WRONG: dict[str, Any] = {
    "missing": _DELETED,
    "null": None,
    "true": True,
    "zero": 0,
    "negative": -1,
    "a fraction": 0.5,
    "the far future": 99_999_999_999,
    "milliseconds": 1_795_966_471_953,
    "microseconds": 1_795_966_471_953_000,
    "huge": 10**40,
    "a huge fraction": 1e300,
    "not a number": math.nan,
    "infinite": -math.inf,
    "no text": "",
    "text": "text",
    "a long text": "\U0001f600" * 3_000,
    "a lone surrogate": "\ud800",
    "control characters": "\x1b[31m\x00\n\u2028\u202e",
    "digits": "12345678901234567890123",
    "many digits": "9" * 5_000,
    "a negative number's text": "-1E+3",
    "a small number's text": "1E-140",
    "Unicode digits": "٣",
    "no list": [],
    "a list": [None, "x", 1],
    "a deep list": _nested(200),
    "no object": {},
    "an object": {"x": 1},
    "a string value": {"S": "x"},
    "a number value": {"N": "7"},
    "a number value that is a number": {"N": 7},
    "a number value that is a text": {"N": "seven"},
    "a large number value": {"N": "9E+125"},
    "a negative number value": {"N": "-7"},
    "a null value": {"NULL": True},
    "a truth value": {"BOOL": True},
    "binary data that is none": {"B": "%"},
    "two values": {"S": "x", "N": "7"},
    "an unknown type": {"Z": "x"},
    "a list value of what is no value": {"L": [None, 5, {"S": 5}]},
    "a map value of what is no value": {"M": {"x": None}},
    "a map value that is a list": {"M": []},
    "a list value that is a map": {"L": {"x": {"S": "x"}}},
    "a set value of numbers in a set of strings": {"SS": [1, 2]},
    "a set value without elements": {"NS": []},
    "a deep value": _nested_value(100),
}


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every place in a record, except the record as a whole."""
    children: Any = ()
    if isinstance(value, Mapping):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for name, child in children:
        if (*here, name) not in OF_THE_MAPPING:
            yield (*here, name)
            yield from places(child, (*here, name))


def put(record: Any, place: Place, wrong: Any) -> Any:
    """The record with the wrong value at the place, or unchanged where an earlier change removed the place."""
    # A deep copy, as an event holds it.
    changed = json.loads(json.dumps(record))
    holder = changed
    for name in place[:-1]:
        try:
            holder = holder[name]
        except (KeyError, IndexError, TypeError):
            return changed
    if isinstance(holder, list) and isinstance(place[-1], int) and place[-1] < len(holder):
        holder[place[-1]] = None if wrong is _DELETED else wrong
    elif isinstance(holder, dict) and wrong is _DELETED:
        holder.pop(place[-1], None)
    elif isinstance(holder, dict):
        holder[place[-1]] = wrong
    return changed


@st.composite
def changes(draw: st.DrawFn, record: Any) -> list[tuple[Place, str]]:
    """One to three places of the record, each with the name of a wrong value (a key of WRONG)."""
    return draw(
        st.lists(
            st.tuples(st.sampled_from(list(places(record))), st.sampled_from(sorted(WRONG))),
            min_size=1,
            max_size=3,
        )
    )


def spoiled(record: Any, wrongs: list[tuple[Place, str]]) -> Any:
    """The record with these wrong values."""
    for place, wrong in wrongs:
        record = put(record, place, WRONG[wrong])
    return record
