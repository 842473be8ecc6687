"""The tree of totals: a path names a leaf, and each of its prefixes a node above it."""

from collections.abc import Mapping, Sequence

SEPARATOR = ":"

# A path is AggregateTable's partition key, and such a key has at most 2,048 bytes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
MAX_PATH_BYTES = 2048


class BadPathError(ValueError):
    """The levels do not make a path; the text says why."""


def join(levels: Sequence[str], names: Mapping[str, object]) -> str:
    """Return a message's path: its names at `levels`, from the root. Raises BadPathError.

    >>> join(["RiskType", "Region"], {"Region": "EMEA", "RiskType": "PV"})
    'PV:EMEA'
    """
    parts: list[str] = []
    for level in levels:
        name = names.get(level)
        if name is None or name == "":
            raise BadPathError(f"level {level} is missing")
        if not isinstance(name, str):
            raise BadPathError(f"level {level} is not a string")
        if SEPARATOR in name:
            # "A:B" at one level and "A", "B" at two would share a row of AggregateTable.
            raise BadPathError(f"level {level} contains {SEPARATOR!r}, which separates levels")
        parts.append(name)
    path = SEPARATOR.join(parts)
    try:
        size = len(path.encode())
    except UnicodeEncodeError as error:
        raise BadPathError("the hierarchy is not valid Unicode (a lone surrogate)") from error
    if size > MAX_PATH_BYTES:
        raise BadPathError(f"the path has {size} bytes; at most {MAX_PATH_BYTES} fit a key")
    return path


def nodes(path: str) -> list[str]:
    """Return the path's nodes, from the root down to the path itself.

    >>> nodes("PV:FXSpot:EMEA")
    ['PV', 'PV:FXSpot', 'PV:FXSpot:EMEA']
    """
    found = []
    end = path.find(SEPARATOR)
    while end >= 0:
        found.append(path[:end])
        end = path.find(SEPARATOR, end + 1)
    found.append(path)
    return found
