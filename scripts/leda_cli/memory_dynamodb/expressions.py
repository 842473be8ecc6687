"""Evaluates DynamoDB's expressions after they are parsed (expression_parser).

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from leda_cli.memory_dynamodb.attribute_values import Invalid, Item, Value, add, ordered

Names = Mapping[str, str]
Values = Mapping[str, Value]
Operand = Callable[[Item, Names, Values], Value | None]
Test = Callable[[Item, Names, Values], bool]
Check = Callable[[Names, Values], None]

COMPARISONS: dict[str, Callable[[Value | None, Value | None], bool]] = {
    "=": lambda left, right: left is not None and left == right,
    "<>": lambda left, right: left is None or left != right,
    "<": lambda left, right: ordered(left, right) == -1,
    "<=": lambda left, right: ordered(left, right) in (-1, 0),
    ">": lambda left, right: ordered(left, right) == 1,
    ">=": lambda left, right: ordered(left, right) in (0, 1),
}
ORDERED_KINDS = ("S", "N")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed expression: the placeholders that it uses, and the checks that need no item."""

    names: frozenset[str]
    values: frozenset[str]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Condition(Parsed):
    """A ConditionExpression; `holds` tests an item, or {} if there is no item."""

    holds: Test


@dataclass(frozen=True, slots=True)
class Update(Parsed):
    """An UpdateExpression: the attributes that it writes (placeholders or names), and how."""

    sets: tuple[tuple[str, Operand], ...]
    adds: tuple[tuple[str, str], ...]
    removes: tuple[str, ...]

    def written(self, names: Names) -> list[str]:
        """The names of the attributes that it writes. Raises Invalid if one is written twice."""
        targets = [target for target, _ in self.sets]
        targets += [target for target, _ in self.adds]
        targets += self.removes
        found = [names[target] if target[0] == "#" else target for target in targets]
        if len(set(found)) < len(found):
            raise Invalid(
                "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one "
                "of these paths"
            )
        return found

    def apply(self, item: Item, names: Names, values: Values) -> Item:
        """The item after the update; every operand is read from the old item. Raises Invalid."""
        new = dict(item)
        for target, operand in self.sets:
            value = operand(item, names, values)
            if value is None:
                raise Invalid(
                    "The provided expression refers to an attribute that does not exist in the item"
                )
            new[names[target] if target[0] == "#" else target] = value
        for target, addend in self.adds:
            name = names[target] if target[0] == "#" else target
            old = item.get(name)
            new[name] = values[addend] if old is None else calculated(add, old, values[addend])
        for target in self.removes:
            new.pop(names[target] if target[0] == "#" else target, None)
        return new


@dataclass(frozen=True, slots=True)
class KeyCondition(Parsed):
    """A KeyConditionExpression `path = value`, which selects a partition; `value` is a placeholder."""

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class Projection(Parsed):
    """A ProjectionExpression."""

    paths: tuple[str, ...]


def bind(parsed: list[Parsed], names: Names | None, values: Values | None) -> None:
    """Raises Invalid unless the expressions use exactly the defined placeholders, and with the right types."""
    used_names: frozenset[str] = frozenset()
    used_values: frozenset[str] = frozenset()
    for each in parsed:
        used_names |= each.names
        used_values |= each.values
    _same("ExpressionAttributeNames", used_names, names)
    _same("ExpressionAttributeValues", used_values, values)
    for each in parsed:
        for check in each.checks:
            check(names or {}, values or {})


def _same(what: str, used: frozenset[str], defined: Mapping[str, object] | None) -> None:
    if defined is None:
        if used:
            raise Invalid(f"{what}: not defined: {sorted(used)}")
    elif not defined:
        raise Invalid(f"{what} must not be empty")
    elif defined.keys() != used:
        raise Invalid(f"{what}: unused or not defined: {sorted(defined.keys() ^ used)}")


def calculated(calculate: Callable[[str, str], str], left: Value, right: Value) -> Value:
    """The result of a calculation with two numbers. Raises Invalid if one is not a number."""
    if "N" not in left or "N" not in right:
        raise Invalid("An operand in the update expression has an incorrect data type")
    return {"N": calculate(left["N"], right["N"])}
