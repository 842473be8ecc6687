"""The PartiQL statements that LEDA sends: an INSERT of parameters, an UPDATE of one row on conditions.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

import re
from dataclasses import dataclass
from functools import cache

_INSERT = re.compile(r"\s*INSERT\s+INTO\s+\"([^\"]+)\"\s+VALUE\s*\{(.*)\}\s*", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\s*'([^']+)'\s*:\s*\?\s*")
_UPDATE = re.compile(r"\s*UPDATE\s+\"([^\"]+)\"\s+SET\s+(.*)\s+WHERE\s+(.*)", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"\s*\"([^\"]+)\"\s*=\s*\?\s*")
_TERM = re.compile(r"\s*\"([^\"]+)\"\s*(=|<>|<=|>=|<|>)\s*\?\s*")


@dataclass(frozen=True, slots=True)
class Insert:
    """INSERT INTO "table" VALUE {'attribute': ?, ...}; its parameters are the attributes' values."""

    table: str
    attributes: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """How many `?` there are."""
        return len(self.attributes)


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE "table" SET "attribute" = ? ... WHERE "attribute" operator ? AND ...; parameters in that order."""

    table: str
    attributes: tuple[str, ...]
    terms: tuple[tuple[str, str], ...]

    @property
    def parameters(self) -> int:
        """How many `?` there are."""
        return len(self.attributes) + len(self.terms)


@cache
def parse(statement: str) -> Insert | Update:
    """Parse a statement; raises NotImplementedError for any other."""
    if match := _INSERT.fullmatch(statement):
        attributes = _each(_ATTRIBUTE, match[2].split(","), statement)
        return Insert(match[1], tuple(each[1] for each in attributes))
    if match := _UPDATE.fullmatch(statement):
        assignments = _each(_ASSIGNMENT, re.split(r"\sSET\s", match[2], flags=re.I), statement)
        terms = _each(_TERM, re.split(r"\sAND\s", match[3], flags=re.I), statement)
        return Update(
            match[1], tuple(each[1] for each in assignments), tuple((t[1], t[2]) for t in terms)
        )
    raise NotImplementedError(f"the statement {statement!r}")


def _each(pattern: re.Pattern[str], parts: list[str], statement: str) -> list[re.Match[str]]:
    found = []
    for part in parts:
        match = pattern.fullmatch(part)
        if match is None:
            raise NotImplementedError(f"{part!r} in the statement {statement!r}")
        found.append(match)
    return found
