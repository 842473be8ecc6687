"""Key conditions and projections of reads, and the pages that answer them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leda_cli.memory_dynamodb import expression_parser, expressions
from leda_cli.memory_dynamodb.attribute_values import Invalid, Item, copied, size
from leda_cli.memory_dynamodb.expressions import Names, Parsed, Values
from leda_cli.memory_dynamodb.tables import Table

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
MAX_PAGE_BYTES = 1024 * 1024


def key_condition(
    table: Table, terms: Sequence[expressions.KeyTerm], names: Names, values: Values
) -> tuple[str, Callable[[Item], bool]]:
    """The partition key of a query, and a test for its rows."""
    (hash_name, hash_kind), *sort = table.keys.items()
    by_name = {names[term.path] if term.path[0] == "#" else term.path: term for term in terms}
    equal = by_name.pop(hash_name, None)
    if equal is None or len(by_name) != len(terms) - 1 or not by_name.keys() <= dict(sort).keys():
        raise Invalid("Query condition missed key schema element")
    if equal.operator != "=":
        raise Invalid("Query key condition not supported")
    tests: list[Callable[[Item], bool]] = []
    for name, term in [(hash_name, equal), *by_name.items()]:
        operands = [values[operand] for operand in term.operands]
        if any(table.keys[name] not in operand for operand in operands):
            raise Invalid(
                "One or more parameter values were invalid: Condition parameter type does not match schema type"
            )
        if any(operand.get("S") == "" for operand in operands):
            raise Invalid(
                "The AttributeValue for a key attribute cannot contain an empty string value"
            )
        tests.append(_key_test(name, term.operator, operands))
    return values[equal.operands[0]][hash_kind], lambda row: all(test(row) for test in tests)


def _key_test(name: str, operator: str, operands: list[Any]) -> Callable[[Item], bool]:
    if operator == "BETWEEN":
        return lambda row: expressions.between(row[name], *operands)
    if operator == "begins_with":
        return lambda row: expressions.begins_with(row[name], operands[0])
    compare = expressions.COMPARISONS[operator]
    return lambda row: compare(row[name], operands[0])


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
