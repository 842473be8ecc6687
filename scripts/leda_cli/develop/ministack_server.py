"""Starts MiniStack, with what it mistakes in conditions of PartiQL put right. MiniStack's interpreter runs this file.

MiniStack looks for the key of an UPDATE among the parts of its WHERE that AND joins, and finds none as soon as one part
is an OR: Reduce's `"Identifier" = ? AND ("Applied..." IS MISSING OR "Applied..." < ?)` is refused, which DynamoDB and
DynamoDB Local take. What the condition says is not touched here: only where the key is looked for.
"""

import runpy
from typing import Any

from ministack.services import dynamodb

Node = tuple[Any, ...]

_find_keys = dynamodb._pq_conditions


def without_alternatives(where: Node | None) -> Node | None:
    """The parts that AND joins, those with an OR left out; None where nothing is left."""
    if where is None or where[0] == "or":
        return None
    if where[0] != "and":
        return where
    left, right = without_alternatives(where[1]), without_alternatives(where[2])
    return ("and", left, right) if left and right else left or right


def _conditions(where: Node | None) -> Any:
    return _find_keys(without_alternatives(where))


dynamodb._pq_conditions = _conditions

if __name__ == "__main__":
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
