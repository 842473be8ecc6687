"""The table whose rows are counted (any DynamoDB table with a stream, whatever its key is), and the engine's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from leda.values.numbers import WIDE
from leda_cli.base.errors import LedaError, this_command

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MARKER = "leda-watermark"
"""What the keys of marker rows begin with."""

# No user's key is a number with so many digits, and with the marker's number it still has at most DynamoDB's 38 digits.
_MARKER_NUMBER = 10**37


IMAGES = "NEW_AND_OLD_IMAGES"
"""The view of a stream whose records tell what a change takes out of the totals and what it adds to them."""


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table, its key, and what its stream's records hold.

    keys: the type (S, N or B) of each key attribute, the partition key's first.
    stream_view: the StreamViewType; None where it is not known.
    """

    name: str
    keys: Mapping[str, str]
    stream_view: str | None = None

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
        keys = {each["AttributeName"]: types[each["AttributeName"]] for each in schema}
        return cls(name, keys, table.get("StreamSpecification", {}).get("StreamViewType"))

    def require_images(self) -> None:
        """Raise LedaError if the stream does not have the rows before and after a change."""
        if self.stream_view not in (None, IMAGES):
            raise LedaError(
                f"the stream of {self.name} has {self.stream_view}, and Map needs {IMAGES}: it would count no change",
                f'set stream_view_type = "{IMAGES}" where the table is defined, run `terraform apply`, and run '
                f"{this_command()} again",
            )

    def key_of(self, row: Mapping[str, Any]) -> str:
        """The key of a row or record (DynamoDB's JSON) as a string, the same for equal keys."""
        texts = [_text(row[name][kind], kind) for name, kind in self.keys.items()]
        return texts[0] if len(texts) == 1 else json.dumps(texts)

    def marker_key(self, place: int) -> dict[str, Any]:
        """The key of the marker row number `place`, of the types that the table's key has."""
        text = f"{MARKER}-{place}"
        values: Mapping[str, Any] = {
            "S": {"S": text},
            "N": {"N": str(-_MARKER_NUMBER - place)},
            "B": {"B": text.encode()},
        }
        return {name: values[kind] for name, kind in self.keys.items()}


@dataclass(frozen=True)
class Tables:
    """The tables of an aggregation: the one that is counted, and the names of the engine's own.

    totals_key: the key attribute of the totals table.
    """

    source: SourceTable
    reduce_table: str
    registry_table: str
    totals_table: str
    totals_key: str

    @property
    def is_pipeline(self) -> bool:
        """Whether the source table is a pipeline's StateTable. Other tables are the user's."""
        return False


@dataclass(frozen=True, slots=True)
class TableSize:
    """What DescribeTable says of a table; DynamoDB counts its rows and bytes again about every six hours.

    `read_units` is the provisioned capacity, None for a table on demand. `at` is the service's clock, in epoch seconds.
    """

    rows: int
    bytes: int
    read_units: int | None
    at: float

    @classmethod
    def of(cls, client: DynamoDBClient, name: str) -> TableSize:
        """The table's size now. Raises the client's error."""
        answer = client.describe_table(TableName=name)
        table = answer["Table"]
        units = table.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0)
        return cls(
            table.get("ItemCount", 0), table.get("TableSizeBytes", 0), units or None, _date(answer)
        )


def service_time(client: DynamoDBClient, table: str) -> float:
    """The service's clock in epoch seconds, from a response's Date header; this machine's clock may be wrong."""
    return _date(client.describe_table(TableName=table))


def _date(answer: Mapping[str, Any]) -> float:
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()


def _text(value: str | bytes, kind: str) -> str:
    """Bytes, as clients return those of a binary key, as hexadecimal digits; a number in one form.

    A scan has the number 10000000000 where a record of DynamoDB Local has 1E+10 for the same row, if that is how the
    writer's UpdateItem named the row.
    """
    if isinstance(value, bytes):
        return value.hex()
    if kind != "N" or (value.isdecimal() and (value[0] != "0" or value == "0")):
        return value
    return format(WIDE.normalize(Decimal(value)) or Decimal(0), "f")
