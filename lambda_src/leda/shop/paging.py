"""Lists by pages: `limit` and `cursor` of a request, and the query that they ask for.

A cursor is the place of the page's last row in its list, in base64. The key to go on from is made of it and of the list
that is asked for, so that no cursor leads into another list.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.shop.refusals import RefusedError, invalid
from leda.shop.rows import Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DEFAULT_ROWS, MOST_ROWS = 50, 100
_LIMIT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that can be asked for: the rows whose key attribute `partition` has that value, ordered by `sort`."""

    partition: tuple[str, str]
    sort: str
    place: re.Pattern[str]
    """What places look like."""
    key_at: Callable[[str], Row]
    """The whole key, the table's and the index's, of the row at a place."""
    index: str | None = None
    forward: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list; `cursor` asks for the next ones, None: there are no more."""

    rows: list[Row]
    cursor: str | None


def page(
    client: "DynamoDBClient",
    table: str,
    listing: Listing,
    query: Mapping[str, str],
    most: int = MOST_ROWS,
) -> Page:
    """The page that the request asks for, of at most `most` rows. Raises RefusedError."""
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
    """The parameter's value, the first of the choices where it is not given. Raises RefusedError."""
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
        found = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise _bad_cursor() from error
    if not place.fullmatch(found):
        raise _bad_cursor()
    return found


def _bad_cursor() -> RefusedError:
    return invalid("cursor", "cursor is not one that this list has given.")
