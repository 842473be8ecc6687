"""The PartiQL statements that LEDA sends: an INSERT of parameters, an UPDATE of one row on conditions.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from leda_cli.memory_dynamodb import expressions
from leda_cli.memory_dynamodb.attribute_values import Invalid, Item, Value, add
from leda_cli.memory_dynamodb.tables import Action, Table
from leda_cli.memory_dynamodb.writes import key_refusal

_INSERT = re.compile(r"\s*INSERT\s+INTO\s+\"([^\"]+)\"\s+VALUE\s*\{(.*)\}\s*", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\s*'([^']+)'\s*:\s*\?\s*")
_UPDATE = re.compile(r"\s*UPDATE\s+\"([^\"]+)\"\s+SET\s+(.*)\s+WHERE\s+(.*)", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"\s*\"([^\"]+)\"\s*=\s*(?:\"\1\"\s*(\+)\s*)?\?\s*")
_TOKEN = re.compile(r"\s*(\"[^\"]+\"|[A-Za-z]+|<=|>=|<>|[=<>()?])|\s*(\S)")

Test = Callable[[Item, list[Value]], bool]
"""Whether a row meets a condition, with the parameters of the WHERE clause."""


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
class Assignment:
    """SET "attribute" = ?, or, where the parameter is added, SET "attribute" = "attribute" + ?."""

    attribute: str
    is_sum: bool


@dataclass(frozen=True, slots=True)
class Equality:
    """A condition "attribute" = ? outside of parentheses: on a key attribute it selects the row."""

    attribute: str
    place: int
    """The place of its parameter in the WHERE clause."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One of the conditions that a WHERE clause joins by AND."""

    test: Test
    compared: tuple[tuple[str, int], ...]
    """The operators of its comparisons, and the place of each one's parameter."""
    equality: Equality | None
    within: frozenset[str]
    """The attributes that it names in parentheses."""


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE "table" SET ... WHERE ...; parameters in the order of their `?`."""

    table: str
    assignments: tuple[Assignment, ...]
    conditions: tuple[Condition, ...]
    parameters: int


@cache
def parse(statement: str) -> Insert | Update:
    """Parse a statement; raises NotImplementedError for any other."""
    if match := _INSERT.fullmatch(statement):
        attributes = _each(_ATTRIBUTE, match[2].split(","), statement)
        return Insert(match[1], tuple(each[1] for each in attributes))
    if match := _UPDATE.fullmatch(statement):
        parts = re.split(r"\sSET\s", match[2], flags=re.I)
        assignments = [
            Assignment(each[1], each[2] is not None)
            for each in _each(_ASSIGNMENT, parts, statement)
        ]
        where = _Where(match[3], statement)
        conditions = where.conditions()
        return Update(
            match[1], tuple(assignments), tuple(conditions), len(assignments) + where.parameters
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


class _Where:
    """Parses a WHERE clause: comparisons with a parameter and IS MISSING, joined by AND, OR and parentheses."""

    def __init__(self, clause: str, statement: str) -> None:
        self.parameters = 0
        self._statement = statement
        matches = list(_TOKEN.finditer(clause))
        if strange := [match[2] for match in matches if match[2]]:
            raise NotImplementedError(f"{strange[0]!r} in the statement {statement!r}")
        self._tokens = [match[1] for match in matches][::-1]
        self._compared: list[tuple[str, int]] = []
        self._equality: Equality | None = None
        self._named: set[str] = set()

    def conditions(self) -> list[Condition]:
        """The conditions that the clause joins by AND."""
        found = [self._condition()]
        while self._take("AND"):
            found.append(self._condition())
        if self._tokens:
            self._unknown()
        return found

    def _condition(self) -> Condition:
        self._compared, self._equality, self._named = [], None, set()
        is_alone = self._tokens[-1:] != ["("]
        test = self._primary()
        if is_alone:
            return Condition(test, tuple(self._compared), self._equality, frozenset())
        return Condition(test, tuple(self._compared), None, frozenset(self._named))

    def _disjunction(self) -> Test:
        tests = [self._conjunction()]
        while self._take("OR"):
            tests.append(self._conjunction())
        return lambda row, given: any(test(row, given) for test in tests)

    def _conjunction(self) -> Test:
        tests = [self._primary()]
        while self._take("AND"):
            tests.append(self._primary())
        return lambda row, given: all(test(row, given) for test in tests)

    def _primary(self) -> Test:
        if self._take("("):
            inner = self._disjunction()
            self._need(")")
            return inner
        if not self._tokens or self._tokens[-1][0] != '"':
            self._unknown()
        name = self._tokens.pop()[1:-1]
        self._named.add(name)
        if self._take("IS"):
            self._need("MISSING")
            return lambda row, _given: name not in row
        operator = self._tokens.pop() if self._tokens else ""
        if operator not in expressions.COMPARISONS:
            self._unknown()
        self._need("?")
        place, compare = self.parameters, expressions.COMPARISONS[operator]
        self.parameters += 1
        self._compared.append((operator, place))
        if operator == "=":
            self._equality = Equality(name, place)
        return lambda row, given: compare(row.get(name), given[place])

    def _take(self, token: str) -> bool:
        """Keywords come in any case."""
        if not self._tokens or self._tokens[-1].upper() != token:
            return False
        self._tokens.pop()
        return True

    def _need(self, token: str) -> None:
        if not self._take(token):
            self._unknown()

    def _unknown(self) -> None:
        rest = " ".join(self._tokens[::-1]) or "the end"
        raise NotImplementedError(f"{rest!r} in the statement {self._statement!r}")


def planned(
    table: Table, statement: Insert | Update, parameters: list[Any], shows_old: bool
) -> Action:
    """The action of a statement; a failed condition shows the row if `shows_old`. Raises Invalid."""
    if isinstance(statement, Insert):
        item = dict(zip(statement.attributes, parameters, strict=True))
        return Action(table, table.place(item), lambda _old: item, lambda old: not old, False)
    return _update(table, statement, parameters, shows_old)


def _update(table: Table, statement: Update, parameters: list[Any], shows: bool) -> Action:
    """The action of an UPDATE: the row must exist, and meet the conditions that do not select it by its key."""
    count = len(statement.assignments)
    names = [each.attribute for each in statement.assignments]
    if len(set(names)) < count:
        raise Invalid("Two document paths overlap with each other")
    assigned, given = parameters[:count], parameters[count:]
    for assignment, value in zip(statement.assignments, assigned, strict=True):
        if assignment.is_sum and "N" not in value:
            raise Invalid("Incorrect operand type for operator or function")
    key: Item = {}
    tests = []
    for condition in statement.conditions:
        if within := condition.within & table.keys.keys():
            raise NotImplementedError(f"{sorted(within)} in parentheses")
        equality = condition.equality
        if equality and equality.attribute in table.keys and equality.attribute not in key:
            key[equality.attribute] = given[equality.place]
            continue
        for operator, place in condition.compared:
            if operator not in ("=", "<>") and not any(
                kind in given[place] for kind in expressions.ORDERED_KINDS
            ):
                raise Invalid("Incorrect operand type for operator or function")
        tests.append(condition.test)
    if key.keys() != table.keys.keys():
        raise Invalid("Where clause does not contain a mandatory equality on all key attributes")

    def change(old: Item | None) -> Item:
        if refusal := key_refusal(table, names):
            raise Invalid(refusal)
        before = old or {}
        new = dict(before)
        for assignment, value in zip(statement.assignments, assigned, strict=True):
            if not assignment.is_sum:
                new[assignment.attribute] = value
            elif assignment.attribute in before:
                new[assignment.attribute] = expressions.calculated(
                    add, before[assignment.attribute], value
                )
            else:
                raise Invalid(
                    "The provided expression refers to an attribute that does not exist in the item"
                )
        return new

    return Action(
        table,
        table.place(key),
        change,
        lambda old: bool(old) and all(test(old, given) for test in tests),
        shows,
    )
