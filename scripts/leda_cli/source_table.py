"""The table whose rows are counted: any DynamoDB table with a stream, whatever its key is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table and its key: `keys` holds the type (S, N or B) of each key attribute, the partition key's first."""

    name: str
    keys: Mapping[str, str]

    @classmethod
    def described(cls, client: DynamoDBClient, name: str) -> SourceTable:
        """The table as DescribeTable has it. Raises the client's error."""
        table = client.describe_table(TableName=name)["Table"]
        types = {
            each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]
        }
        schema = sorted(
            table["KeySchema"], key=lambda each: each["KeyType"]
        )  # HASH is before RANGE
        return cls(name, {each["AttributeName"]: types[each["AttributeName"]] for each in schema})

    def key_of(self, row: Mapping[str, Any]) -> str:
        """The key of a row or record (DynamoDB's JSON) as a string, the same for equal keys."""
        return json.dumps([row[name] for name in self.keys], default=_plain)

    def key_text(self, row: Mapping[str, Any]) -> str:
        """The key of a row for a person to read."""
        values = [str(_plain(value)) for name in self.keys for value in row[name].values()]
        return ", ".join(values)


def _plain(value: object) -> object:
    """Bytes, as clients return those of a binary key, as hexadecimal digits."""
    return value.hex() if isinstance(value, bytes) else value
