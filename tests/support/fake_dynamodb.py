"""DynamoDB in memory, as far as the checkpoints' transactions need it: all of a transaction or nothing of it."""

import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from support.faults import cancelled, client_error

Item = dict[str, Any]


class FakeDynamoDB:
    """Understands get_item, a query by Source, and transactions of Put, Update (SET, ADD) and ConditionCheck."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Item]] = defaultdict(dict)
        self.transactions: list[list[dict[str, Any]]] = []
        self._lock = threading.RLock()

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> dict[str, Any]:
        assert ConsistentRead, "a checkpoint that is read late makes duplicates look new"
        with self._lock:
            item = self.tables[TableName].get(_name(Key))
            return {"Item": dict(item)} if item else {}

    def get_paginator(self, name: str) -> "_Query":
        assert name == "query"
        return _Query(self)

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        with self._lock:
            if not 0 < len(TransactItems) <= 100:
                raise client_error("ValidationException")
            self.transactions.append(TransactItems)
            changes: dict[tuple[str, str], Item] = {}
            codes = []
            for action in TransactItems:
                ((kind, request),) = action.items()
                place = request["TableName"], _name(request.get("Key") or request["Item"])
                if place in changes:
                    raise client_error("ValidationException")  # one action an item
                old = self.tables[place[0]].get(place[1], {})
                changes[place] = dict(old)
                if not _holds(request, old):
                    codes.append("ConditionalCheckFailed")
                elif kind == "ConditionCheck":
                    codes.append("None")
                elif kind == "Put":
                    changes[place] = request["Item"]
                    codes.append("None")
                else:
                    codes.append(_update(request, changes[place]))
            if set(codes) != {"None"}:
                raise cancelled(*codes)
            for action in TransactItems:
                ((kind, request),) = action.items()
                if kind != "ConditionCheck":
                    place = request["TableName"], _name(request.get("Key") or request["Item"])
                    self.tables[place[0]][place[1]] = changes[place]
            return {}


class _Query:
    def __init__(self, fake: FakeDynamoDB) -> None:
        self._fake = fake

    def paginate(self, *, TableName: str, ConsistentRead: bool, **request: Any) -> Iterator[Any]:
        assert ConsistentRead
        source = request["ExpressionAttributeValues"][":source"]
        rows = [
            dict(row) for row in self._fake.tables[TableName].values() if row["Source"] == source
        ]
        # A page a row, so that a caller that reads one page alone is found out.
        return iter([{"Items": [row]} for row in rows] or [{"Items": []}])


def _name(key: Mapping[str, Any]) -> str:
    keys = ("Source", "Lane", "Identifier", "Delta")
    return "|".join(str(key[name]) for name in keys if name in key)


def _holds(request: Mapping[str, Any], item: Item) -> bool:
    names, values = request.get("ExpressionAttributeNames", {}), request.get(
        "ExpressionAttributeValues", {}
    )
    for term in filter(None, request.get("ConditionExpression", "").split(" AND ")):
        if absent := re.fullmatch(r"attribute_not_exists\((#\w+)\)", term):
            if names[absent[1]] in item:
                return False
        elif same := re.fullmatch(r"(#\w+) = (:\w+)", term):
            if item.get(names[same[1]]) != values[same[2]]:
                return False
        else:
            raise AssertionError(f"the fake does not know {term!r}")
    return True


def _update(request: Mapping[str, Any], item: Item) -> str:
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    item.update(request["Key"])
    if change := re.fullmatch(r"SET (#\w+) = (:\w+)", request["UpdateExpression"]):
        item[names[change[1]]] = values[change[2]]
        return "None"
    change = re.fullmatch(r"ADD (#\w+) (:\w+)", request["UpdateExpression"])
    assert change, request["UpdateExpression"]
    name, added = names[change[1]], Decimal(values[change[2]]["N"])
    old = item.get(name, {"N": "0"})
    if "N" not in old:
        return "ValidationError"
    item[name] = {"N": str(Decimal(old["N"]) + added)}
    return "None"
