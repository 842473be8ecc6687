"""DynamoDB's expressions, as far as LEDA and an ordinary user write them: parsed once, then closures.

Conditions: attribute_exists, attribute_not_exists, begins_with, = <> < <= > >=, BETWEEN, AND, OR, NOT and
parentheses. Updates: SET with + - and if_not_exists, ADD of numbers, REMOVE. Attributes of the top level only.
What else a user may write raises NotImplementedError; what DynamoDB refuses raises Invalid.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from simulation.attribute_values import Invalid, Item, Value, add, ordered, subtract

Names = Mapping[str, str]
Values = Mapping[str, Value]
Operand = Callable[[Item, Names, Values], Value | None]
Test = Callable[[Item, Names, Values], bool]
Check = Callable[[Values], None]

_TOKEN = re.compile(r"\s*([#:]\w+|[A-Za-z_]\w*|<=|>=|<>|[=<>(),+\-.\[\]])|\s*(\S)")

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
    """What any expression has: the placeholders it uses, and what can be checked before any item is read."""

    names: frozenset[str]
    values: frozenset[str]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Condition(Parsed):
    """A ConditionExpression; `holds` is asked about an item, {} where there is none."""

    holds: Test


@dataclass(frozen=True, slots=True)
class Update(Parsed):
    """An UpdateExpression: the placeholders or names of the attributes it writes, and how."""

    sets: tuple[tuple[str, Operand], ...]
    adds: tuple[tuple[str, str], ...]
    removes: tuple[str, ...]

    def written(self, names: Names) -> list[str]:
        """The attributes that it names as targets. Raises Invalid if it names one twice."""
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
        """The item after the update; every operand is read from the item before it. Raises Invalid."""
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
            new[name] = values[addend] if old is None else _sum(add, old, values[addend])
        for target in self.removes:
            new.pop(names[target] if target[0] == "#" else target, None)
        return new


@dataclass(frozen=True, slots=True)
class KeyTerm:
    """`path operator operands` of a KeyConditionExpression; the operands are placeholders of values."""

    path: str
    operator: str
    operands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyCondition(Parsed):
    """A KeyConditionExpression."""

    terms: tuple[KeyTerm, ...]


@dataclass(frozen=True, slots=True)
class Projection(Parsed):
    """A ProjectionExpression."""

    paths: tuple[str, ...]


def bind(parsed: list[Parsed], names: Names | None, values: Values | None) -> None:
    """Raises Invalid unless the expressions use just the placeholders that are defined, as their types allow."""
    used_names: frozenset[str] = frozenset()
    used_values: frozenset[str] = frozenset()
    for each in parsed:
        used_names |= each.names
        used_values |= each.values
    _same("ExpressionAttributeNames", used_names, names)
    _same("ExpressionAttributeValues", used_values, values)
    for each in parsed:
        for check in each.checks:
            check(values or {})


def _same(what: str, used: frozenset[str], defined: Mapping[str, object] | None) -> None:
    if defined is None:
        if used:
            raise Invalid(f"{what}: not defined: {sorted(used)}")
    elif not defined:
        raise Invalid(f"{what} must not be empty")
    elif defined.keys() != used:
        raise Invalid(f"{what}: unused or not defined: {sorted(defined.keys() ^ used)}")


@cache
def condition(text: str) -> Condition:
    """Parse a ConditionExpression. Raises Invalid or NotImplementedError."""
    parser = _Parser(text)
    holds, _ = parser.disjunction()
    parser.end()
    return Condition(*parser.parsed(), holds)


@cache
def update(text: str) -> Update:
    """Parse an UpdateExpression. Raises Invalid or NotImplementedError."""
    return _Parser(text).update()


@cache
def key_condition(text: str) -> KeyCondition:
    """Parse a KeyConditionExpression. Raises Invalid or NotImplementedError."""
    parser = _Parser(text)
    terms = [parser.key_term()]
    while parser.take_word("AND"):
        terms.append(parser.key_term())
    parser.end()
    return KeyCondition(*parser.parsed(), tuple(terms))


@cache
def projection(text: str) -> Projection:
    """Parse a ProjectionExpression of attributes of the top level."""
    parser = _Parser(text)
    paths = [parser.path()]
    while parser.take(","):
        paths.append(parser.path())
    parser.end()
    return Projection(*parser.parsed(), tuple(paths))


@cache
def reserved_words() -> frozenset[str]:
    """The words that no expression may use as a name; moto, which the tests have, ships AWS's list.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
    """
    # Found, not imported: importing moto takes longer than many a simulation.
    spec = find_spec("moto")
    assert spec
    assert spec.origin
    listed = Path(spec.origin).with_name("dynamodb") / "parsing" / "reserved_keywords.txt"
    return frozenset(listed.read_text().upper().split())


@dataclass(slots=True)
class _Parser:
    text: str
    _tokens: list[str] = field(init=False)
    _names: set[str] = field(default_factory=set)
    _values: set[str] = field(default_factory=set)
    _checks: list[Check] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise Invalid("The expression can not be empty;")
        matches = list(_TOKEN.finditer(self.text))
        if strange := [match[2] for match in matches if match[2]]:
            raise NotImplementedError(f"{strange[0]!r} in the expression {self.text!r}")
        self._tokens = [match[1] for match in matches][::-1]

    def parsed(self) -> tuple[frozenset[str], frozenset[str], tuple[Check, ...]]:
        return frozenset(self._names), frozenset(self._values), tuple(self._checks)

    # -- tokens

    def peek(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def take(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self._tokens.pop()
        return True

    def take_word(self, word: str) -> bool:
        """Keywords come in any case; names of functions do not."""
        return self.peek().upper() == word and self.take(self.peek())

    def need(self, token: str) -> None:
        if not self.take(token):
            self._unknown()

    def end(self) -> None:
        if self._tokens:
            self._unknown()

    def _unknown(self) -> None:
        raise NotImplementedError(
            f"{' '.join(self._tokens[::-1]) or 'the end'!r} in the expression {self.text!r}"
        )

    def path(self) -> str:
        token = self.peek()
        if not token or not (token[0] == "#" or token[0].isalpha() or token[0] == "_"):
            self._unknown()
        self._tokens.pop()
        if self.peek() in (".", "[", "("):
            self._tokens.append(token)
            self._unknown()
        if token[0] == "#":
            self._names.add(token)
        elif token.upper() in reserved_words():
            raise Invalid(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return token

    def value(self) -> str:
        token = self.peek()
        if not token.startswith(":"):
            self._unknown()
        self._tokens.pop()
        self._values.add(token)
        return token

    # -- operands

    def operand(self) -> tuple[str, Operand]:
        """The token, and how it is read."""
        if self.peek().startswith(":"):
            token = self.value()
            return token, lambda item, names, values: values[token]
        token = self.path()
        if token[0] == "#":
            return token, lambda item, names, values: item.get(names[token])
        return token, lambda item, names, values: item.get(token)

    def _require(self, token: str, kinds: tuple[str, ...], what: str) -> None:
        if token[0] != ":":
            return

        def check(values: Values) -> None:
            if not any(kind in values[token] for kind in kinds):
                raise Invalid(
                    f"Incorrect operand type for operator or function; operator or function: {what}, operand type: "
                    f"{next(iter(values[token]))}"
                )

        self._checks.append(check)

    # -- conditions: each gives the test, and whether it stood in parentheses

    def disjunction(self) -> tuple[Test, bool]:
        first, alone = self.conjunction()
        tests = [first]
        while self.take_word("OR"):
            tests.append(self.conjunction()[0])
        if len(tests) == 1:
            return first, alone
        return lambda item, names, values: any(test(item, names, values) for test in tests), False

    def conjunction(self) -> tuple[Test, bool]:
        first, alone = self.negation()
        tests = [first]
        while self.take_word("AND"):
            tests.append(self.negation()[0])
        if len(tests) == 1:
            return first, alone
        return lambda item, names, values: all(test(item, names, values) for test in tests), False

    def negation(self) -> tuple[Test, bool]:
        if not self.take_word("NOT"):
            return self.primary()
        negated, _ = self.negation()
        return lambda item, names, values: not negated(item, names, values), False

    def primary(self) -> tuple[Test, bool]:
        if self.take("("):
            inner, is_redundant = self.disjunction()
            self.need(")")
            if is_redundant:
                raise Invalid("The expression has redundant parentheses;")
            return inner, True
        if len(self._tokens) > 1 and self._tokens[-2] == "(":
            return self._function(), False
        return self._comparison(), False

    def _function(self) -> Test:
        name = self.peek()
        if name not in ("attribute_exists", "attribute_not_exists", "begins_with"):
            self._unknown()
        self._tokens.pop()
        self.need("(")
        if name == "begins_with":
            test = self._begins_with()
        else:
            path, read = self.operand()
            if path[0] == ":":
                raise Invalid(f"Operator or function requires a document path: {name}")
            wanted = name == "attribute_exists"

            def test(item: Item, names: Names, values: Values) -> bool:
                return (read(item, names, values) is not None) is wanted

        self.need(")")
        return test

    def _begins_with(self) -> Test:
        whole, read_whole = self.operand()
        self.need(",")
        start, read_start = self.operand()
        if whole == start:
            raise Invalid("The first operand must be distinct from the remaining operands")
        for operand in (whole, start):
            self._require(operand, ("S",), "begins_with")
        return lambda item, names, values: begins_with(
            read_whole(item, names, values), read_start(item, names, values)
        )

    def _comparison(self) -> Test:
        left, read_left = self.operand()
        if self.take_word("BETWEEN"):
            return self._between(left, read_left)
        operator = self.peek()
        if operator not in COMPARISONS:
            self._unknown()
        self._tokens.pop()
        right, read_right = self.operand()
        if left == right and left[0] != ":":
            raise Invalid("The first operand must be distinct from the remaining operands")
        if operator not in ("=", "<>"):
            self._require(left, ORDERED_KINDS, operator)
            self._require(right, ORDERED_KINDS, operator)
        compare = COMPARISONS[operator]
        return lambda item, names, values: compare(
            read_left(item, names, values), read_right(item, names, values)
        )

    def _between(self, token: str, read: Operand) -> Test:
        low, read_low = self.operand()
        if not self.take_word("AND"):
            self._unknown()
        high, read_high = self.operand()
        if token[0] != ":" and token in (low, high):
            raise Invalid("The first operand must be distinct from the remaining operands")
        for operand in (token, low, high):
            self._require(operand, ORDERED_KINDS, "BETWEEN")
        if low[0] == ":" and high[0] == ":":
            self._checks.append(lambda values: _require_range(values[low], values[high]))
        return lambda item, names, values: between(
            read(item, names, values), read_low(item, names, values), read_high(item, names, values)
        )

    def key_term(self) -> KeyTerm:
        in_parentheses = self.take("(")
        if self.take("begins_with"):
            self.need("(")
            path = self.path()
            self.need(",")
            term = KeyTerm(path, "begins_with", (self.value(),))
            self.need(")")
        else:
            path, operator = self.path(), self.peek().upper()
            if operator not in ("=", "<", "<=", ">", ">=", "BETWEEN"):
                self._unknown()
            self._tokens.pop()
            first = self.value()
            if operator == "BETWEEN" and not self.take_word("AND"):
                self._unknown()
            operands = (first, self.value()) if operator == "BETWEEN" else (first,)
            term = KeyTerm(path, operator, operands)
        if in_parentheses:
            self.need(")")
        return term

    # -- updates

    def update(self) -> Update:
        sets: list[tuple[str, Operand]] = []
        adds: list[tuple[str, str]] = []
        removes: list[str] = []
        seen: set[str] = set()
        while self._tokens:
            section = self.peek().upper()
            if section not in ("SET", "ADD", "REMOVE"):
                self._unknown()
            if section in seen:
                raise Invalid(f'The "{section}" section can only be used once;')
            seen.add(section)
            self._tokens.pop()
            while True:
                target = self.path()
                if section == "SET":
                    self.need("=")
                    sets.append((target, self._assigned()))
                elif section == "ADD":
                    addend = self.value()
                    self._require(addend, ("N",), "ADD")
                    adds.append((target, addend))
                else:
                    removes.append(target)
                if not self.take(","):
                    break
        return Update(*self.parsed(), tuple(sets), tuple(adds), tuple(removes))

    def _assigned(self) -> Operand:
        left, read_left = self._addend()
        sign = self.peek()
        if sign not in ("+", "-"):
            return read_left
        self._tokens.pop()
        right, read_right = self._addend()
        for operand in (left, right):
            self._require(operand, ("N",), sign)
        calculate = add if sign == "+" else subtract

        def read(item: Item, names: Names, values: Values) -> Value | None:
            first, second = read_left(item, names, values), read_right(item, names, values)
            return None if first is None or second is None else _sum(calculate, first, second)

        return read

    def _addend(self) -> tuple[str, Operand]:
        if self.peek() != "if_not_exists":
            return self.operand()
        self._tokens.pop()
        self.need("(")
        path, read = self.operand()
        if path[0] == ":":
            raise Invalid("Operator or function requires a document path: if_not_exists")
        self.need(",")
        _, read_default = self._addend()
        self.need(")")
        return path, lambda item, names, values: (
            read_default(item, names, values)
            if (found := read(item, names, values)) is None
            else found
        )


def begins_with(whole: Value | None, start: Value | None) -> bool:
    """Whether both are strings, and the one begins with the other."""
    if whole is None or start is None or "S" not in whole or "S" not in start:
        return False
    is_start: bool = whole["S"].startswith(start["S"])
    return is_start


def between(value: Value | None, low: Value | None, high: Value | None) -> bool:
    """Whether all three have one type, and low <= value <= high."""
    return ordered(low, value) in (-1, 0) and ordered(value, high) in (-1, 0)


def _require_range(low: Value, high: Value) -> None:
    if ordered(low, high) not in (-1, 0):
        raise Invalid(
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound, of one type"
        )


def _sum(calculate: Callable[[str, str], str], left: Value, right: Value) -> Value:
    if "N" not in left or "N" not in right:
        raise Invalid("An operand in the update expression has an incorrect data type")
    return {"N": calculate(left["N"], right["N"])}
