"""Returns lists in pages, by the parameters `limit` and `cursor` of a request.

A cursor is the sort key of the page's last row in its list, in base64. The next query starts at a key that is made of
the cursor and of the list that the request names, so a cursor cannot lead into another list.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.shop.refusals import invalid
from leda.shop.rows import Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DEFAULT_ROWS, MOST_ROWS = 50, 100
# The most bytes of a sort key. A part's product is one, and its key is made of the cursor.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
MAX_KEY_BYTES = 1024
_LIMIT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_BAD_CURSOR = "cursor is not one that this list has given."


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: the rows whose attribute `partition[0]` has the value `partition[1]`, sorted by the attribute `sort`."""

    partition: tuple[str, str]
    sort: str
    place: re.Pattern[str]
    """The pattern of a sort key, in a row or in a cursor."""
    key_at: Callable[[str], Row]
    """Returns the key attributes, the table's and the index's, of the row with that sort key."""
    index: str | None = None
    forward: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list; `cursor` is None where no rows follow."""

    rows: list[Row]
    cursor: str | None


def page(
    client: "DynamoDBClient",
    table: str,
    listing: Listing,
    query: Mapping[str, str],
    most: int = MOST_ROWS,
) -> Page:
    """Return the page that the request's query parameters name, of at most `most` rows. Raises RefusedError."""
    limit = min(most, _limit(query.get("limit")))
    name, value = listing.partition
    asked: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "#partition = :partition",
        "ExpressionAttributeNames": {"#partition": name},
        "ExpressionAttributeValues": {":partition": {"S": value}},
        "ScanIndexForward": listing.forward,
        "Limit": limit,
    }
    if listing.index:
        asked["IndexName"] = listing.index
    else:
        asked["ConsistentRead"] = True
    if (cursor := query.get("cursor")) is not None:
        asked["ExclusiveStartKey"] = listing.key_at(_place(cursor, listing.place))
    answer = client.query(**asked)
    rows: list[Row] = answer["Items"]
    more = rows and "LastEvaluatedKey" in answer
    return Page(rows, _cursor(rows[-1][listing.sort]["S"]) if more else None)


def choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Return the parameter's value; the first choice where it is not given. Raises RefusedError."""
    chosen = query.get(name, choices[0])
    if chosen not in choices:
        raise invalid(name, f"{name} is one of {', '.join(choices)}.")
    return chosen


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_ROWS
    if not _LIMIT.fullmatch(text) or int(text) > MOST_ROWS:
        raise invalid("limit", f"limit is a whole number from 1 to {MOST_ROWS}.")
    return int(text)


def _cursor(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _place(cursor: str, place: re.Pattern[str]) -> str:
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found = data.decode()
    except (binascii.Error, ValueError) as error:
        raise invalid("cursor", _BAD_CURSOR) from error
    if len(data) > MAX_KEY_BYTES or not place.fullmatch(found):
        raise invalid("cursor", _BAD_CURSOR)
    return found
