"""Reads and writes RegistryTable, which holds what must not change with a deployment.

A change may be delivered again after any deployment, and must then be computed as it was the first time. So what
decides how a shard's changes are computed and applied is stored when the shard is first met, and does not change:

    Scope                     Name            attributes
    configurations            <version>       Document: the configuration's JSON
    configurations            live            Version: what shards get that are met from now on
    lanes                     <version>.<n>   a number of lanes that has been used with that configuration;
                                              CorrectedAt?: when a rebuild last wrote corrections into them
    source/<stream ARN>       <shard ID>      Version, Lanes, Generation?: how Map computes the shard's changes
    reduce/<stream ARN>       <shard ID>      Epoch: where the shard's positions stand among those of other shards
    streams/map, /reduce      <stream ARN>    IsSettled: false until `leda rebuild` has brought it into the totals
    counters                  epochs          Last: the last epoch that was drawn
    counters                  rebuilds        Last: the number of the last rebuild
    rebuild                   journal         the rebuild that is open (leda_cli.operate.journal)
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from botocore.exceptions import ClientError

from leda.engine.configuration import Configuration
from leda.engine.shards import Shard, label, padded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryInputTypeDef
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_dynamodbstreams.type_defs import DescribeStreamInputTypeDef

T = TypeVar("T")

Row = dict[str, Any]
Stage = Literal["map", "reduce"]

CONFIGURATIONS, LIVE = "configurations", "live"
LANES = "lanes"
COUNTERS, EPOCHS = "counters", "epochs"

EPOCH_DIGITS = 10
# The epoch of a shard whose records are in the totals without Reduce, or never will be: Reduce ignores them.
IGNORED = 0

# An execution environment remembers for so long what it has read of a shard. What it remembers never changes but by a
# backfill, which Map notices; but a registry that was lost, or comes from a backup, may say something else.
MEMORY_SECONDS = 60

# A shard is written to for at most some hours, and its records are kept for a day: after a month it is long gone.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.Processing
SHARD_ROW_SECONDS = 30 * 24 * 3600


def source_scope(stream: str) -> str:
    """The scope with how Map computes the changes of each shard of the stream."""
    return f"source/{stream}"


def reduce_scope(stream: str) -> str:
    """The scope with the epochs of the stream's shards."""
    return f"reduce/{stream}"


def streams_scope(stage: Stage) -> str:
    """The scope with the streams that Map, or Reduce, has met."""
    return f"streams/{stage}"


def condition_failed(error: ClientError) -> bool:
    """Whether a conditional write was refused because its condition was false."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


class Registry:
    """The rows of one RegistryTable. All reads are consistent."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def get(self, scope: str, name: str) -> Row | None:
        """The row in DynamoDB's JSON, None where there is no such row."""
        answer = self._client.get_item(
            TableName=self._table, Key=_key(scope, name), ConsistentRead=True
        )
        return answer.get("Item")

    def rows(self, scope: str) -> list[Row]:
        """All rows of the scope, ordered by name."""
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
        """Put the row unless there is one; returns whether this call has put it (False after a lost answer)."""
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
        """Put the row, whatever was there."""
        self._client.put_item(TableName=self._table, Item={**_key(scope, name), **attributes})

    def draw(self, counter: str) -> int:
        """Draw a number that is above all that were drawn before.

        It is the clock's seconds, or one more than the last number where the clock is not beyond that. So the numbers
        rise even after the counter's row was lost, or restored from a backup.
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

    def meet_stream(self, stage: Stage, stream: str) -> None:
        """Note that the stage reads this stream. The first stream is settled; a later one needs `leda rebuild`.

        Changes may lie between two streams of a table (a stream that was disabled and enabled, a table that was
        restored), and no stream has them.
        """
        scope = streams_scope(stage)
        if self.get(scope, stream) is None:
            is_first = not self.rows(scope)
            self.put_if_absent(scope, stream, {"IsSettled": {"BOOL": is_first}})


def _key(scope: str, name: str) -> Row:
    return {"Scope": {"S": scope}, "Name": {"S": name}}


def _shard_row(attributes: Row, created: float | None) -> Row:
    """The row of a shard that was met with records of the time `created` (epoch seconds; None: it never expires)."""
    if created is None:
        return attributes
    return {**attributes, "ExpiresAt": {"N": str(int(created) + SHARD_ROW_SECONDS)}}


class _Memory(Generic[T]):
    """Cache of what was recently read of shards."""

    def __init__(self) -> None:
        self._found: dict[Shard, tuple[float, T]] = {}

    def get(self, shard: Shard) -> T | None:
        """What is remembered of the shard; None where it must be read (again)."""
        read_at, found = self._found.get(shard, (0.0, None))
        return found if 0 <= time.time() - read_at < MEMORY_SECONDS else None

    def put(self, shard: Shard, found: T) -> None:
        """Remember what was just read of the shard."""
        self._found[shard] = time.time(), found

    def forget(self, shard: Shard) -> None:
        """Let it be read again."""
        self._found.pop(shard, None)


@dataclass(frozen=True, slots=True)
class Assignment:
    """How Map computes a shard's changes: under which configuration, and into how many lanes.

    Each backfill gives a shard a new `generation`, with rows of its own, since the former ones are closed for good.
    """

    configuration: Configuration
    lanes: int
    generation: int = 0

    def source(self, shard: Shard) -> str:
        """The sort key of the shard's rows of ReduceTable."""
        return f"{shard.source}/{self.generation}" if self.generation else shard.source


def _of_row(row: Row) -> tuple[str, int, int]:
    """The version, the number of lanes and the generation that the row of a shard has."""
    generation = int(row.get("Generation", {"N": "0"})["N"])
    return row["Version"]["S"], int(row["Lanes"]["N"]), generation


class SourceShards:
    """The assignments of the source table's shards, each settled when Map first meets the shard.

    With `needs_backfill` nothing is counted until `leda backfill` has made a configuration live: the table may have
    rows that no record of the stream tells.
    """

    def __init__(
        self,
        registry: Registry,
        deployed: Configuration,
        lanes: int,
        *,
        needs_backfill: bool = False,
    ) -> None:
        self._registry = registry
        self._deployed = deployed
        self._lanes = lanes
        self._needs_backfill = needs_backfill
        self._known = _Memory[Assignment]()

    def forget(self, shard: Shard) -> None:
        """Read the shard's assignment again the next time."""
        self._known.forget(shard)

    def is_current(self, shard: Shard, assignment: Assignment) -> bool:
        """Whether the registry still has this assignment of the shard."""
        row = self._registry.get(source_scope(shard.stream), shard.id)
        own = assignment.configuration.version, assignment.lanes, assignment.generation
        return row is None or _of_row(row) == own

    def of(self, shard: Shard, created: float | None) -> Assignment | None:
        """The shard's assignment; None: nothing is counted before the first backfill.

        `created` is the time of the shard's records in epoch seconds, where it is known.
        """
        known = self._known.get(shard)
        if known is None:
            name = shard.id
            row = self._registry.get(source_scope(shard.stream), name)
            if row is None:
                row = self._settle(shard, created)
            if row is None:
                # Not remembered: the backfill may come at any time.
                return None
            version, lanes, generation = _of_row(row)
            known = Assignment(self._configuration(version), lanes, generation)
            self._known.put(shard, known)
        return known

    def _settle(self, shard: Shard, created: float | None) -> Row | None:
        if self._needs_backfill and self._registry.get(CONFIGURATIONS, LIVE) is None:
            return None
        if not shard.is_made_up:
            self._registry.meet_stream("map", shard.stream)
        version = self._live_version()
        # `leda rebuild` reads every number of lanes that there is, so it is noted before its first row is written.
        self._registry.put_if_absent(LANES, f"{version}.{self._lanes}", {})
        scope = source_scope(shard.stream)
        attributes = {"Version": {"S": version}, "Lanes": {"N": str(self._lanes)}}
        self._registry.put_if_absent(scope, shard.id, _shard_row(attributes, created))
        # Whoever was first has settled it.
        row = self._registry.get(scope, shard.id)
        assert row is not None
        return row

    def _live_version(self) -> str:
        version = self._deployed.version
        document = {"Document": {"S": self._deployed.document}}
        self._registry.put_if_absent(CONFIGURATIONS, version, document)
        live = self._registry.get(CONFIGURATIONS, LIVE)
        if live is None:
            self._registry.put_if_absent(CONFIGURATIONS, LIVE, {"Version": {"S": version}})
            live = self._registry.get(CONFIGURATIONS, LIVE)
            assert live is not None
        found: str = live["Version"]["S"]
        return found

    def _configuration(self, version: str) -> Configuration:
        if version == self._deployed.version:
            return self._deployed
        return configuration_of(self._registry, version)


def configuration_of(registry: Registry, version: str) -> Configuration:
    """The configuration with that version. Raises RegistryError where the registry has lost it."""
    row = registry.get(CONFIGURATIONS, version)
    if row is None:
        raise RegistryError(
            f"the registry has no configuration {version}, which a shard or the live version names: restore "
            "RegistryTable from a backup"
        )
    return Configuration.from_json(row["Document"]["S"])


class Definitions:
    """The configurations by their version, each read when it is first asked for."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, Configuration] = {}

    def of(self, version: str) -> Configuration | None:
        """The configuration with that version; None if the registry lacks it (a row written by hand)."""
        if version not in self._known:
            try:
                self._known[version] = configuration_of(self._registry, version)
            except RegistryError:
                return None
        return self._known[version]


def live_configuration(registry: Registry, deployed: Configuration) -> Configuration:
    """The live configuration; the deployed one where Map has not met a shard yet, because Map then makes it live."""
    live = registry.get(CONFIGURATIONS, LIVE)
    return deployed if live is None else configuration_of(registry, live["Version"]["S"])


class RegistryError(RuntimeError):
    """The registry lacks a row that another of its rows names."""


class Epochs:
    """Epochs of ReduceTable's shards: a shard's is above those of its ancestors, so positions of a lane are ordered.

    Nothing is assumed about the sequence numbers of different shards. All records of a lane are in one line of shards,
    each read to its end before its child, because ReduceTable has a local secondary index: DynamoDB does not split
    an item collection over partitions where there is one.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
    """

    def __init__(self, registry: Registry, streams: "DynamoDBStreamsClient") -> None:
        self._registry = registry
        self._streams = streams
        self._known = _Memory[int]()

    def of(self, shard: Shard, created: float | None) -> int:
        """The shard's epoch; `created` is the time of its records in epoch seconds, where it is known."""
        known = self._known.get(shard)
        if known is None:
            known = self._stored(shard)
            if known is None:
                known = self._settle(shard, created)
            self._known.put(shard, known)
        return known

    def _stored(self, shard: Shard) -> int | None:
        row = self._registry.get(reduce_scope(shard.stream), shard.id)
        return None if row is None else int(row["Epoch"]["N"])

    def _settle(self, shard: Shard, created: float | None) -> int:
        if shard.is_made_up:
            return self._draw(shard, created)
        self._registry.meet_stream("reduce", shard.stream)
        # Lambda reads a parent to its end before its child. Somebody who invokes the function by hand may not: the
        # ancestors get their lower epochs first.
        for ancestor in self._ancestors(shard):
            if self._stored(ancestor) is None:
                self._draw(ancestor, created)
        return self._draw(shard, created)

    def _draw(self, shard: Shard, created: float | None) -> int:
        # Drawn first, and looked afterwards: a younger stream is noted before any epoch is drawn for it, so if it is
        # not there yet, its epochs will be above this one, however long the store below takes.
        epoch = self._registry.draw(EPOCHS)
        if self._is_of_older_stream(shard):
            epoch = IGNORED
        attributes = _shard_row({"Epoch": {"N": str(epoch)}}, created)
        self._registry.put_if_absent(reduce_scope(shard.stream), shard.id, attributes)
        # Whoever was first has settled it.
        stored = self._stored(shard)
        assert stored is not None
        return stored

    def _is_of_older_stream(self, shard: Shard) -> bool:
        """Whether Reduce has met a younger stream: late records of an older stream are left to the rebuild."""
        if shard.is_made_up:
            return False
        met = [row["Name"]["S"] for row in self._registry.rows(streams_scope("reduce"))]
        return any(label(stream) > label(shard.stream) for stream in met)

    def _ancestors(self, shard: Shard) -> Sequence[Shard]:
        """The shard's ancestors that the stream still lists, the oldest first.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
        """
        parents: dict[str, str | None] = {}
        request: DescribeStreamInputTypeDef = {"StreamArn": shard.stream}
        while True:
            description = self._streams.describe_stream(**request)["StreamDescription"]
            parents.update(
                {each["ShardId"]: each.get("ParentShardId") for each in description["Shards"]}
            )
            last = description.get("LastEvaluatedShardId")
            if not last:
                break
            request["ExclusiveStartShardId"] = last
        found: list[Shard] = []
        parent = parents.get(shard.id)
        while parent in parents:
            found.append(Shard(shard.stream, parent))
            parent = parents[parent]
        return found[::-1]


def position(epoch: int, sequence: int) -> str:
    """The position of a record of ReduceTable's stream among those of its lane, as a string that orders."""
    return f"{epoch:0{EPOCH_DIGITS}d}.{padded(sequence)}"
