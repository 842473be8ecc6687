"""Parses the DynamoDB expressions that LEDA writes; each text is parsed once, into functions.

Conditions: attribute_exists, attribute_not_exists, = <> < <= > >=, AND, OR and parentheses. Updates: SET with + - and
if_not_exists, ADD of numbers, REMOVE. Key conditions: an equality. Attributes of the top level only.
Anything else that DynamoDB accepts raises NotImplementedError; what DynamoDB refuses raises Invalid.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

import re
from dataclasses import dataclass, field
from functools import cache

from leda_cli.memory_dynamodb.attribute_values import Invalid, Item, Value, add, subtract
from leda_cli.memory_dynamodb.expressions import (
    COMPARISONS,
    ORDERED_KINDS,
    Check,
    Condition,
    KeyCondition,
    Names,
    Operand,
    Projection,
    Test,
    Update,
    Values,
    calculated,
)
from leda_cli.memory_dynamodb.reserved_words import RESERVED_WORDS

_TOKEN = re.compile(r"\s*([#:]\w+|[A-Za-z_]\w*|<=|>=|<>|[=<>(),+\-.\[\]])|\s*(\S)")


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
    path = parser.path()
    parser.need("=")
    value = parser.value()
    parser.end()
    return KeyCondition(*parser.parsed(), path, value)


@cache
def projection(text: str) -> Projection:
    """Parse a ProjectionExpression of attributes of the top level."""
    parser = _Parser(text)
    paths = [parser.path()]
    while parser.take(","):
        paths.append(parser.path())
    parser.end()
    return Projection(*parser.parsed(), tuple(paths))


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
        """Take a keyword, in any case; the names of functions are case-sensitive."""
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
        elif token.upper() in RESERVED_WORDS:
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
        """An operand's token, and the function that reads its value."""
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

        def check(_names: Names, values: Values) -> None:
            if not any(kind in values[token] for kind in kinds):
                raise Invalid(
                    f"Incorrect operand type for operator or function; operator or function: {what}, operand type: "
                    f"{next(iter(values[token]))}"
                )

        self._checks.append(check)

    def _distinct(self, first: str, second: str) -> None:
        if first[0] == ":":
            return

        def check(names: Names, _values: Values) -> None:
            if names.get(first, first) == names.get(second, second):
                raise Invalid("The first operand must be distinct from the remaining operands")

        self._checks.append(check)

    # -- conditions: each method returns the test, and whether it was in parentheses

    def disjunction(self) -> tuple[Test, bool]:
        first, alone = self.conjunction()
        tests = [first]
        while self.take_word("OR"):
            tests.append(self.conjunction()[0])
        if len(tests) == 1:
            return first, alone
        return lambda item, names, values: any(test(item, names, values) for test in tests), False

    def conjunction(self) -> tuple[Test, bool]:
        first, alone = self.primary()
        tests = [first]
        while self.take_word("AND"):
            tests.append(self.primary()[0])
        if len(tests) == 1:
            return first, alone
        return lambda item, names, values: all(test(item, names, values) for test in tests), False

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
        if name not in ("attribute_exists", "attribute_not_exists"):
            self._unknown()
        self._tokens.pop()
        self.need("(")
        path, read = self.operand()
        if path[0] == ":":
            raise Invalid(f"Operator or function requires a document path: {name}")
        self.need(")")
        wanted = name == "attribute_exists"
        return lambda item, names, values: (read(item, names, values) is not None) is wanted

    def _comparison(self) -> Test:
        left, read_left = self.operand()
        operator = self.peek()
        if operator not in COMPARISONS:
            self._unknown()
        self._tokens.pop()
        right, read_right = self.operand()
        self._distinct(left, right)
        if operator not in ("=", "<>"):
            self._require(left, ORDERED_KINDS, operator)
            self._require(right, ORDERED_KINDS, operator)
        compare = COMPARISONS[operator]
        return lambda item, names, values: compare(
            read_left(item, names, values), read_right(item, names, values)
        )

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
            return None if first is None or second is None else calculated(calculate, first, second)

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
        default, read_default = self.operand()
        self._distinct(path, default)
        self.need(")")

        def value(item: Item, names: Names, values: Values) -> Value | None:
            # DynamoDB refuses a default that the item lacks, whether or not it is needed.
            found, other = read(item, names, values), read_default(item, names, values)
            return other if found is None or other is None else found

        return path, value
