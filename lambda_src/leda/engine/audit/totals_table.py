"""Reads the totals table: the totals' amounts, and the number of each grouping's rows."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from leda.engine.audit.table_scan import pages
from leda.engine.delta_rows import RESERVED
from leda.engine.group_by.configuration import Amounts, Configuration
from leda.engine.group_by.hierarchy import SEPARATOR
from leda.values.numbers import NotExactError, number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def read_totals(
    client: "DynamoDBClient", table: str, measures: Sequence[str], key: str
) -> Iterator[tuple[str, Amounts]]:
    """Yield the totals of a table with that key attribute, one amount for each measure; 0 if it is not a number.

    Totals with 0 in every measure are left out.
    """
    for rows in pages(client, table, [key, *measures]):
        for row in rows:
            amounts = tuple([amount_of(row.get(name)) or Decimal(0) for name in measures])
            name = row[key]["S"]
            if any(amounts) and not name.startswith(RESERVED):
                yield name, amounts


def rows_of_groupings(
    client: "DynamoDBClient", table: str, key: str, configuration: Configuration
) -> Counter[str]:
    """Return the number of each grouping's rows in the totals table, including rows with 0 in every measure.

    Rows of former groupings are counted under the former names.
    """
    found: Counter[str] = Counter()
    for rows in pages(client, table, [key]):
        for row in rows:
            identifier = row[key]["S"]
            if not identifier.startswith(RESERVED):
                labels = configuration.labels(identifier)
                found[labels.grouping if labels else identifier.partition(SEPARATOR)[0]] += 1
    return found


def amount_of(value: Mapping[str, Any] | None) -> Decimal | None:
    """Return the number in an attribute (DynamoDB's JSON); None if it is missing or not a number."""
    try:
        return None if value is None else number(value["N"])
    except (KeyError, NotExactError):
        return None
