"""Matches changes against event patterns, which select the changes to publish.

The syntax is that of EventBridge and of Lambda's event filters:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html

    {"event": ["update"], "changed": {"plan": {"new": ["gold"]}, "balance": {"new": [{"numeric": ["<", 0]}]}}}

All of a pattern's fields must match, and a field matches if one rule of its list does. A rule is a value, or prefix,
suffix, equals-ignore-case, anything-but (a value or a list), numeric, or exists. Unlike EventBridge's, exists also
matches objects, so {"changed": {"email": [{"exists": true}]}} means "the e-mail address has changed".
"""

import json
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Pattern = Mapping[str, Any]

_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
_ABSENT = object()


class BadPatternError(ValueError):
    """The pattern is not valid; the text says where."""


def parse(text: str) -> list[Pattern]:
    """Read a JSON list of patterns. Raises BadPatternError."""
    try:
        patterns = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, InvalidOperation) as error:
        raise BadPatternError(f"not JSON: {error}") from error
    if not isinstance(patterns, list):
        raise BadPatternError("not a list of patterns")
    for pattern in patterns:
        _check(pattern, "the pattern")
    return patterns


def matches(pattern: Pattern, document: Mapping[str, Any]) -> bool:
    """Return whether the document (numbers as Decimal or int) matches all fields of the pattern."""
    return all(_field(rules, document.get(name, _ABSENT)) for name, rules in pattern.items())


def _field(rules: Any, value: Any) -> bool:
    if isinstance(rules, Mapping):
        return matches(rules, value if isinstance(value, Mapping) else {})
    values = value if isinstance(value, list) and value else [value]
    return any(_matches(rule, each) for rule in rules for each in values)


def _matches(rule: Any, value: Any) -> bool:
    if not isinstance(rule, Mapping):
        return _same(rule, value)
    ((name, wanted),) = rule.items()
    if name == "exists":
        return (value is not _ABSENT) is wanted
    if value is _ABSENT:
        return False
    match name:
        case "anything-but":
            return not any(_same(each, value) for each in _listed(wanted))
        case "numeric":
            return _is_number(value) and all(
                _COMPARISONS[sign](Decimal(value), bound)
                for sign, bound in zip(wanted[::2], wanted[1::2], strict=True)
            )
        case "prefix":
            return isinstance(value, str) and value.startswith(wanted)
        case "suffix":
            return isinstance(value, str) and value.endswith(wanted)
        case _:
            return isinstance(value, str) and value.casefold() == wanted.casefold()


def _same(wanted: Any, value: Any) -> bool:
    """Return whether the values are equal and of one type, because in Python True equals 1."""
    if _is_number(wanted) or _is_number(value):
        return _is_number(wanted) and _is_number(value) and bool(wanted == value)
    return type(wanted) is type(value) and bool(wanted == value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check(pattern: Any, where: str) -> None:
    if not isinstance(pattern, dict) or not pattern:
        raise BadPatternError(f"{where} is not an object with at least one field")
    for name, rules in pattern.items():
        place = f"{where}, {name}"
        if isinstance(rules, dict):
            _check(rules, place)
        elif not isinstance(rules, list) or not rules:
            raise BadPatternError(f"{place} is neither a list of rules nor an object of fields")
        else:
            for rule in rules:
                if not _is_rule(rule):
                    shown = json.dumps(rule, default=str)[:80]
                    raise BadPatternError(f"{place} has a rule that is not known: {shown}")


def _is_rule(rule: Any) -> bool:
    if not isinstance(rule, dict):
        return _is_scalar(rule)
    if len(rule) != 1:
        return False
    ((name, wanted),) = rule.items()
    match name:
        case "exists":
            return isinstance(wanted, bool)
        case "prefix" | "suffix" | "equals-ignore-case":
            return isinstance(wanted, str)
        case "anything-but":
            return bool(_listed(wanted)) and all(_is_scalar(each) for each in _listed(wanted))
        case "numeric":
            return (
                isinstance(wanted, list)
                and len(wanted) in (2, 4)
                and all(isinstance(sign, str) and sign in _COMPARISONS for sign in wanted[::2])
                and all(_is_number(bound) for bound in wanted[1::2])
            )
        case _:
            return False


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | Decimal)
