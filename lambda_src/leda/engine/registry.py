"""Reads and writes RegistryTable, which stores what a deployment must not change.

Lambda may deliver a change again after a deployment, and Map and Reduce must then compute it as they did the first
time. So they store how to compute and apply a shard's changes when they get the shard's first records:

    Scope                     Name            attributes
    configurations            <version>       Document: the configuration's JSON
    configurations            live            Version: the configuration of shards that Map reads from now on
    lanes                     <version>.<n>   a number of lanes that has been used with that configuration;
                                              CorrectedAt?: when a rebuild last wrote corrections into them
    source/<stream ARN>       <shard ID>      Version, Lanes, Generation?: how Map computes the shard's changes
    reduce/<stream ARN>       <shard ID>      Epoch: orders the shard's positions among those of other shards
    streams/map, /reduce      <stream ARN>    IsSettled: false if `leda rebuild` must still add the stream to the totals
    counters                  epochs          Last: the last epoch that was assigned
    counters                  rebuilds        Last: the number of the last rebuild
    rebuild                   journal         the rebuild that is open (leda_cli.operate.rebuilding.journal)
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from botocore.exceptions import ClientError

from leda.engine.group_by.configuration import Configuration
from leda.engine.shards import Shard, label

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryInputTypeDef

T = TypeVar("T")

Row = dict[str, Any]
Stage = Literal["map", "reduce"]

CONFIGURATIONS, LIVE = "configurations", "live"
LANES = "lanes"
COUNTERS, EPOCHS = "counters", "epochs"

# How long an execution environment caches a shard's row. The row changes only by a backfill, which Map notices at once,
# or if RegistryTable is lost or restored from a backup, for which this limit exists.
MEMORY_SECONDS = 60

# DynamoDB writes to a shard for some hours at most, and keeps its records for a day, so after a month it is gone.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.Processing
SHARD_ROW_SECONDS = 30 * 24 * 3600


def source_scope(stream: str) -> str:
    """Return the scope of the rows that say how Map computes the changes of the stream's shards."""
    return f"source/{stream}"


def reduce_scope(stream: str) -> str:
    """Return the scope of the epochs of the stream's shards."""
    return f"reduce/{stream}"


def streams_scope(stage: Stage) -> str:
    """Return the scope of the streams that the stage has read."""
    return f"streams/{stage}"


def condition_failed(error: ClientError) -> bool:
    """Return whether a write was refused because its condition was false."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


class Registry:
    """The rows of one RegistryTable. All reads are consistent."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def get(self, scope: str, name: str) -> Row | None:
        """Return the row in DynamoDB's JSON; None if there is no such row."""
        answer = self._client.get_item(
            TableName=self._table, Key=_key(scope, name), ConsistentRead=True
        )
        return answer.get("Item")

    def rows(self, scope: str) -> list[Row]:
        """Return all rows of the scope, sorted by name."""
        found: list[Row] = []
        request: QueryInputTypeDef = {
            "TableName": self._table,
            "KeyConditionExpression": "#Scope = :scope",
            "ExpressionAttributeNames": {"#Scope": "Scope"},
            "ExpressionAttributeValues": {":scope": {"S": scope}},
            "ConsistentRead": True,
        }
        while True:
            page = self._client.query(**request)
            found += page["Items"]
            if "LastEvaluatedKey" not in page:
                return found
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def put_if_absent(self, scope: str, name: str, attributes: Mapping[str, Any]) -> bool:
        """Put the row if there is none; return whether this call has put it (False after a lost answer)."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item={**_key(scope, name), **attributes},
                ConditionExpression="attribute_not_exists(#Scope)",
                ExpressionAttributeNames={"#Scope": "Scope"},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True

    def put(self, scope: str, name: str, attributes: Mapping[str, Any]) -> None:
        """Put the row, or replace it."""
        self._client.put_item(TableName=self._table, Item={**_key(scope, name), **attributes})

    def next_number(self, counter: str) -> int:
        """Return a number that is above all numbers that the counter has returned before.

        It is the clock's seconds, or one more than the last number if the clock is not beyond that. So the numbers
        increase even after the counter's row was lost, or restored from a backup.
        """
        now = {"N": str(int(time.time()))}
        try:
            answer = self._update_counter(
                counter,
                "SET #Last = :now",
                "attribute_not_exists(#Last) OR #Last < :now",
                {":now": now},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            answer = self._update_counter(
                counter, "SET #Last = #Last + :one", "attribute_exists(#Last)", {":one": {"N": "1"}}
            )
        return int(answer["Attributes"]["Last"]["N"])

    def _update_counter(
        self, counter: str, update: str, condition: str, values: Mapping[str, Any]
    ) -> Any:
        return self._client.update_item(
            TableName=self._table,
            Key=_key(COUNTERS, counter),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames={"#Last": "Last"},
            ExpressionAttributeValues=values,
            ReturnValues="UPDATED_NEW",
        )

    def register_stream(self, stage: Stage, stream: str) -> None:
        """Store that the stage reads this stream. The first stream is settled, and a later one needs `leda rebuild`.

        Changes may lie between two streams of a table (a stream that was disabled and enabled, a table that was
        restored), and no stream has them.
        """
        scope = streams_scope(stage)
        if self.get(scope, stream) is None:
            is_first = not self.rows(scope)
            self.put_if_absent(scope, stream, {"IsSettled": {"BOOL": is_first}})

    def settle_stream(self, stage: Stage, stream: str) -> None:
        """Store that nothing is left to be done for this stream, or for one that the stage's table had before.

        A stream that the table has got since stays as it is, because other changes may lie before it.
        """
        scope = streams_scope(stage)
        met = {row["Name"]["S"] for row in self.rows(scope)}
        for name in sorted({stream, *(each for each in met if label(each) < label(stream))}):
            self.put(scope, name, {"IsSettled": {"BOOL": True}})


def _key(scope: str, name: str) -> Row:
    return {"Scope": {"S": scope}, "Name": {"S": name}}


def shard_row(attributes: Row, created: float | None) -> Row:
    """Return the row of a shard whose records have the time `created` (epoch seconds); None: the row never expires."""
    if created is None:
        return attributes
    return {**attributes, "ExpiresAt": {"N": str(int(created) + SHARD_ROW_SECONDS)}}


class ShardCache(Generic[T]):
    """Caches a value for each shard for MEMORY_SECONDS."""

    def __init__(self) -> None:
        self._found: dict[Shard, tuple[float, T]] = {}

    def get(self, shard: Shard) -> T | None:
        """Return the shard's cached value; None if it must be read."""
        read_at, found = self._found.get(shard, (0.0, None))
        return found if 0 <= time.time() - read_at < MEMORY_SECONDS else None

    def put(self, shard: Shard, found: T) -> None:
        """Cache the shard's value, which was just read."""
        self._found[shard] = time.time(), found

    def forget(self, shard: Shard) -> None:
        """Remove the shard, so that it is read again."""
        self._found.pop(shard, None)


def configuration_of(registry: Registry, version: str) -> Configuration:
    """Return the configuration with that version. Raises RegistryError if the registry does not have it."""
    row = registry.get(CONFIGURATIONS, version)
    if row is None:
        raise RegistryError(
            f"the registry has no configuration {version}, which a shard or the live version names: restore "
            "RegistryTable from a backup"
        )
    return Configuration.from_json(row["Document"]["S"])


class Configurations:
    """The configurations by version, each read from the registry at its first use."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, Configuration] = {}
        self._read_at, self._live = 0.0, ""

    def of(self, version: str) -> Configuration | None:
        """Return the configuration with that version; None if the registry lacks it (a row written by hand)."""
        if version not in self._known:
            try:
                self._known[version] = configuration_of(self._registry, version)
            except RegistryError:
                return None
        return self._known[version]

    def live(self, version: str) -> Configuration | None:
        """Return the live configuration, for rows of that version; None while no configuration is live.

        If this version was live, that is cached for MEMORY_SECONDS. If another version was live, the registry is read
        again, because the rows may have the version that has become live since.
        """
        if self._live != version or not 0 <= time.time() - self._read_at < MEMORY_SECONDS:
            row = self._registry.get(CONFIGURATIONS, LIVE)
            self._read_at, self._live = time.time(), row["Version"]["S"] if row else ""
        return self.of(self._live) if self._live else None


def live_configuration(registry: Registry, deployed: Configuration) -> Configuration:
    """Return the live configuration; before Map's first record the deployed one, which Map will make live."""
    live = registry.get(CONFIGURATIONS, LIVE)
    return deployed if live is None else configuration_of(registry, live["Version"]["S"])


class RegistryError(RuntimeError):
    """RegistryTable lacks a row that another of its rows names."""
