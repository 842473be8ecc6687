"""Checks the request of a write and turns it into an action on a table, before any row is read."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from leda_cli.memory_dynamodb import expression_parser, expressions
from leda_cli.memory_dynamodb.attribute_values import Invalid, Item, stored_item
from leda_cli.memory_dynamodb.expressions import Names, Values
from leda_cli.memory_dynamodb.tables import Action, NewRow, Table, item_size

_EXPRESSION = {
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
}
_PARAMETERS: dict[str, set[str]] = {
    "Put": {"TableName", "Item"} | _EXPRESSION,
    "Update": {"TableName", "Key", "UpdateExpression"} | _EXPRESSION,
    "Delete": {"TableName", "Key"} | _EXPRESSION,
    "ConditionCheck": {"TableName", "Key"} | _EXPRESSION,
}


def understood(kind: str, request: Mapping[str, Any], table: Table) -> Action:
    """The action of a Put, Update, Delete or ConditionCheck. Raises Invalid or NotImplementedError."""
    if strange := request.keys() - _PARAMETERS[kind]:
        raise NotImplementedError(f"{kind} with {sorted(strange)}")
    condition_text, update_text = (
        request.get("ConditionExpression"),
        request.get("UpdateExpression"),
    )
    if kind == "ConditionCheck" and condition_text is None:
        raise Invalid("The expression can not be empty;")
    condition = None if condition_text is None else expression_parser.condition(condition_text)
    update = None if update_text is None else expression_parser.update(update_text)
    names: Names | None = request.get("ExpressionAttributeNames")
    given = request.get("ExpressionAttributeValues")
    values = None if given is None else stored_item(given)
    expressions.bind([each for each in (condition, update) if each], names, values)
    refusal = None
    if kind == "Put":
        item = stored_item(request["Item"])
        item_size(item)
        place, change = table.place(item), _putting(item)
    else:
        place, key = table.place_of_key(request["Key"])
        if kind == "Delete":
            change = _putting(None)
        elif kind == "ConditionCheck":
            change = _keeping(None)
        elif update is None:
            change = _keeping(key)
        else:
            refusal = key_refusal(table, update.written(names or {}))
            change = _updating(update, key, names or {}, values or {})
    return Action(
        table,
        place,
        change,
        None if condition is None else _bound(condition.holds, names or {}, values or {}),
        request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        refusal,
        kind != "ConditionCheck",
    )


def _putting(item: Item | None) -> NewRow:
    return lambda old: item


def _keeping(without: Item | None) -> NewRow:
    return lambda old: without if old is None else old


def _bound(holds: expressions.Test, names: Names, values: Values) -> Callable[[Item], bool]:
    return lambda item: holds(item, names, values)


def _updating(update: expressions.Update, key: Item, names: Names, values: Values) -> NewRow:
    return lambda old: update.apply(key if old is None else old, names, values)


def key_refusal(table: Table, written: Collection[str]) -> str | None:
    """Why these attributes cannot be written: one of them belongs to the key; None: none does."""
    for name in written:
        if name in table.keys:
            return (
                f"One or more parameter values were invalid: Cannot update attribute {name}. This attribute is "
                "part of the key"
            )
    return None
