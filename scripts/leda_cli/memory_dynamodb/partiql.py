"""The PartiQL statements that LEDA sends: an INSERT of parameters, an UPDATE of one row on conditions.

An UPDATE is read as the expressions of the UpdateItem that has the same effect: each attribute and each `?` becomes a
placeholder. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from leda_cli.memory_dynamodb import expression_parser, expressions
from leda_cli.memory_dynamodb.attribute_values import Invalid, Item
from leda_cli.memory_dynamodb.tables import Action, Table
from leda_cli.memory_dynamodb.writes import key_refusal

_INSERT = re.compile(r"\s*INSERT\s+INTO\s+\"([^\"]+)\"\s+VALUE\s*\{(.*)\}\s*", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\s*'([^']+)'\s*:\s*\?\s*")
_UPDATE = re.compile(r"\s*UPDATE\s+\"([^\"]+)\"\s+SET\s+(.*)\s+WHERE\s+(.*)", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"\s*\"([^\"]+)\"\s*=\s*(?:\"\1\"\s*\+\s*)?\?\s*")
_OPERAND = re.compile(r"\"([^\"]+)\"(\s+IS\s+MISSING)?|\?", re.IGNORECASE)
_CONNECTIVE = re.compile(r"(\"[^\"]*\"|[()]|\sAND\s)", re.IGNORECASE)
_COMPARISON = re.compile(r"(#\d+) (?:(=)|[<>=]+) (:\d+)|attribute_not_exists\(#\d+\)")


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
class Term:
    """One of the conditions that a WHERE clause joins by AND.

    `selects`: the attribute and the parameter's placeholder of a condition "attribute" = ?, which selects the row if
    the attribute is one of the key.
    """

    condition: expressions.Condition
    selects: tuple[str, str] | None
    is_in_parentheses: bool


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE "table" SET ... WHERE ...; the placeholder of parameter n is `:n`."""

    table: str
    update: expressions.Update
    terms: tuple[Term, ...]
    names: Mapping[str, str]
    """The attributes by their placeholders."""
    parameters: int


@cache
def parse(statement: str) -> Insert | Update:
    """Parse a statement; raises NotImplementedError for any other."""
    if match := _INSERT.fullmatch(statement):
        attributes = _each(_ATTRIBUTE, match[2].split(","), statement)
        return Insert(match[1], tuple(each[1] for each in attributes))
    if match := _UPDATE.fullmatch(statement):
        return _parsed_update(match, statement)
    raise NotImplementedError(f"the statement {statement!r}")


def _each(pattern: re.Pattern[str], parts: list[str], statement: str) -> list[re.Match[str]]:
    matches = [pattern.fullmatch(part) for part in parts]
    if None in matches:
        raise NotImplementedError(f"{parts[matches.index(None)]!r} in the statement {statement!r}")
    return [match for match in matches if match]


def _parsed_update(match: re.Match[str], statement: str) -> Update:
    names: dict[str, str] = {}
    parameters = 0

    def expression(operand: re.Match[str]) -> str:
        nonlocal parameters
        if operand[0] == "?":
            parameters += 1
            return f":{parameters - 1}"
        name = names.setdefault(operand[1], f"#{len(names)}")
        return f"attribute_not_exists({name})" if operand[2] else name

    parts = re.split(r"\sSET\s", match[2], flags=re.IGNORECASE)
    _each(_ASSIGNMENT, parts, statement)
    update = "SET " + ", ".join(_OPERAND.sub(expression, part) for part in parts)
    terms = [_OPERAND.sub(expression, term).strip() for term in _terms(match[3])]
    attributes = {name: attribute for attribute, name in names.items()}
    return Update(
        match[1],
        expression_parser.update(update),
        tuple(_term(text, attributes, statement) for text in terms),
        attributes,
        parameters,
    )


def _terms(where: str) -> Iterator[str]:
    """The conditions that the clause joins by AND outside of parentheses."""
    depth, term = 0, ""
    for part in _CONNECTIVE.split(where):
        depth += (part == "(") - (part == ")")
        if depth or part.strip().upper() != "AND":
            term += part
        else:
            yield term
            term = ""
    yield term


def _term(text: str, attributes: Mapping[str, str], statement: str) -> Term:
    match = _COMPARISON.fullmatch(text)
    if match is None and not text.startswith("("):
        raise NotImplementedError(f"{text!r} in the statement {statement!r}")
    selects = (attributes[match[1]], match[3]) if match and match[2] else None
    return Term(expression_parser.condition(text), selects, match is None)


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
    names, update = statement.names, statement.update
    values = {f":{place}": value for place, value in enumerate(parameters)}
    key: Item = {}
    conditions = []
    for term in statement.terms:
        if term.is_in_parentheses:
            within = {names[name] for name in term.condition.names} & table.keys.keys()
            if within:
                raise NotImplementedError(f"{sorted(within)} in parentheses")
        elif term.selects and term.selects[0] in table.keys and term.selects[0] not in key:
            key[term.selects[0]] = values[term.selects[1]]
            continue
        conditions.append(term.condition)
    for check in (check for each in (update, *conditions) for check in each.checks):
        check(names, values)
    refusal = key_refusal(table, update.written(names))
    if key.keys() != table.keys.keys():
        raise Invalid("Where clause does not contain a mandatory equality on all key attributes")

    def change(old: Item | None) -> Item:
        if refusal:
            raise Invalid(refusal)
        return update.apply(old or {}, names, values)

    def holds(old: Item) -> bool:
        return bool(old) and all(each.holds(old, names, values) for each in conditions)

    return Action(table, table.place(key), change, holds, shows)
