"""The PartiQL statements that LEDA sends: an INSERT of parameters, an UPDATE of one row on conditions.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from simulation import expressions
from simulation.attribute_values import Invalid, Item
from simulation.memory_tables import Action, Table
from simulation.memory_writes import key_refusal

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


def planned(
    table: Table, statement: Insert | Update, parameters: list[Any], shows_old: bool
) -> Action:
    """The action of a statement; a failed condition shows the row if `shows_old`. Raises Invalid."""
    if isinstance(statement, Insert):
        item = dict(zip(statement.attributes, parameters, strict=True))
        return Action(table, table.place(item), lambda _old: item, lambda old: not old, False)
    return _update(table, statement, parameters, shows_old)


def _update(table: Table, statement: Update, parameters: list[Any], shows: bool) -> Action:
    """The row must be there and meet the terms; those that are not of the key are the condition."""
    count = len(statement.attributes)
    assigned = dict(zip(statement.attributes, parameters, strict=False))
    if len(assigned) < count:
        raise Invalid("Two document paths overlap with each other")
    key: Item = {}
    tests = []
    for (name, operator), value in zip(statement.terms, parameters[count:], strict=True):
        if name in table.keys and operator == "=" and name not in key:
            key[name] = value
            continue
        if operator not in ("=", "<>") and not any(
            kind in value for kind in expressions.ORDERED_KINDS
        ):
            raise Invalid("Incorrect operand type for operator or function")
        tests.append((name, expressions.COMPARISONS[operator], value))
    if key.keys() != table.keys.keys():
        raise Invalid("Where clause does not contain a mandatory equality on all key attributes")

    def change(old: Item | None) -> Item:
        if refusal := key_refusal(table, statement.attributes):
            raise Invalid(refusal)
        return {**(old or {}), **assigned}

    return Action(
        table,
        table.place(key),
        change,
        lambda old: bool(old)
        and all(compare(old.get(name), value) for name, compare, value in tests),
        shows,
    )
