"""The key of a table's row: the names of its attributes, and its text in messages."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leda.streams.stream_records import Image

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def key_names(client: "DynamoDBClient", table: str) -> list[str]:
    """Return the attributes of the table's key, the partition key first. Raises the client's error."""
    schema = client.describe_table(TableName=table)["Table"]["KeySchema"]
    # HASH is before RANGE.
    return [key["AttributeName"] for key in sorted(schema, key=lambda key: key["KeyType"])]


def key_text(row: Image, keys: Sequence[str]) -> str:
    """Return the text of the row's key in messages, with the bytes of a binary key as hexadecimal digits."""
    values = [value for name in keys for value in row.get(name, {}).values()]
    return ", ".join([value.hex() if isinstance(value, bytes) else str(value) for value in values])
