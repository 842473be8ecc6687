"""Starts MiniStack with a correction of its PartiQL. MiniStack's interpreter runs this file.

MiniStack looks for the key of an UPDATE among the AND terms of its WHERE clause, and finds no key if a term is an OR:
it refuses Reduce's `"Identifier" = ? AND ("Applied..." IS MISSING OR "Applied..." < ?)`, which DynamoDB and DynamoDB
Local accept. The correction changes only where MiniStack looks for the key, and not what the condition means.
"""

import runpy
from typing import Any

from ministack.services import dynamodb

Node = tuple[Any, ...]

_find_keys = dynamodb._pq_conditions


def without_alternatives(where: Node | None) -> Node | None:
    """The AND terms of the clause without those that are an OR; None if no term is left."""
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
