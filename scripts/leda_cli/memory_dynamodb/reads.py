"""Key conditions and projections of reads, and the pages that answer them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leda_cli.memory_dynamodb import expression_parser, expressions
from leda_cli.memory_dynamodb.attribute_values import Invalid, Item, copied, size
from leda_cli.memory_dynamodb.expressions import Names, Parsed, Values
from leda_cli.memory_dynamodb.tables import Table

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
MAX_PAGE_BYTES = 1024 * 1024


def partition_key(
    table: Table, condition: expressions.KeyCondition, names: Names, values: Values
) -> str:
    """The partition key that a query asks for. Raises Invalid."""
    name, kind = next(iter(table.keys.items()))
    if names.get(condition.path, condition.path) != name:
        raise Invalid("Query condition missed key schema element")
    value = values[condition.value]
    if kind not in value:
        raise Invalid(
            "One or more parameter values were invalid: Condition parameter type does not match schema type"
        )
    if not value[kind]:
        raise Invalid("The AttributeValue for a key attribute cannot contain an empty string value")
    return str(value[kind])


def projection(
    text: str | None,
    names: Names | None,
    others: Sequence[Parsed] = (),
    values: Values | None = None,
) -> Callable[[Item], Item]:
    """A function that projects a row; checks the placeholders of this and the request's other expressions."""
    if text is None:
        expressions.bind([*others], names, values)
        return copied
    projection = expression_parser.projection(text)
    expressions.bind([projection, *others], names, values)
    wanted = [(names or {})[path] if path[0] == "#" else path for path in projection.paths]
    return lambda row: copied({name: row[name] for name in wanted if name in row})


def page(
    table: Table,
    rows: list[Item],
    shown: Callable[[Item], Item],
    limit: int | None,
    after: Mapping[str, Any] | None,
    forward: bool = True,
) -> dict[str, Any]:
    """The first rows after the key `after`, up to `limit` of them or 1 MB; the rows are in the table's order."""
    if not forward:
        rows = rows[::-1]
    if after is not None:
        start = table.order(table.place_of_key(after)[0])
        rows = [
            row
            for row in rows
            if (place := table.order(table.place(row))) != start and (place > start) is forward
        ]
    found: list[Item] = []
    total = 0
    for row in rows:
        found.append(row)
        total += size(row)
        if len(found) == limit or total >= MAX_PAGE_BYTES:
            break
    answer: dict[str, Any] = {
        "Items": [shown(row) for row in found],
        "Count": len(found),
        "ScannedCount": len(found),
    }
    if found and (len(found) == limit or total >= MAX_PAGE_BYTES):
        answer["LastEvaluatedKey"] = copied(table.key(found[-1]))
    return answer


def require_consistent(asked: bool) -> None:
    """Raises NotImplementedError for an eventually consistent read."""
    if not asked:
        raise NotImplementedError(
            "a read without ConsistentRead: this store has no eventually consistent reads"
        )
