"""What exactly-once functions share: an event of a DynamoDB stream in, each record's effect applied exactly once."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from leda import lanes, lazy_client, settings, stream_shape, streams
from leda.checkpoints import Checkpoints
from leda.exactly_once import ExactlyOnce, Outcome, Planner, Rejected
from leda.lanes import Lane
from leda.quarantine import BadRecord, Quarantine, whole
from leda.stream_batch import bad_record
from leda.streams import Unreadable
from leda.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient


class Consumer:
    """Consumes the events of a mapping between a DynamoDB stream and one function."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        dynamodb_streams: "DynamoDBStreamsClient",
        checkpoints: Checkpoints,
        quarantine: Quarantine,
    ) -> None:
        self._streams = dynamodb_streams
        self._quarantine = quarantine
        self._exactly_once = ExactlyOnce(dynamodb, checkpoints, self._put_aside)

    @classmethod
    def from_environment(cls, dynamodb: "DynamoDBClient") -> "Consumer":
        """The consumer that the function's environment variables describe. Raises MissingSetting."""
        function = settings.required("AWS_LAMBDA_FUNCTION_NAME")
        return cls(
            dynamodb,
            lazy_client.dynamodb_streams(),
            Checkpoints(dynamodb, settings.required("CHECKPOINT_TABLE"), function),
            Quarantine(lazy_client.s3(), settings.required("QUARANTINE_BUCKET"), function),
        )

    def consume(self, event: Mapping[str, Any], plan: Planner) -> Outcome:
        """Apply the event's records; an event without records (a tumbling window's last) has no effect.

        Raises MalformedEvent, UnknownLane, GaveUp or the client's error: Lambda then delivers the batch again.
        """
        if not event["Records"]:
            return Outcome()
        batch = streams.read(event["Records"])
        self._put_unreadable_aside(batch.unreadable, event.get("shardId"))
        records = batch.records
        if not records:
            return Outcome(unreadable=len(batch.unreadable))
        lane = lanes.of_event({**event, "Records": batch.raw})
        if lane.is_whole_stream:
            lanes.require_chain(lane.stream, stream_shape.shards(self._streams, lane.stream))
        outcome = self._exactly_once.apply(lane, records, plan)
        outcome.unreadable = len(batch.unreadable)
        logger.info(
            "consumed",
            extra={
                "lane": lane.name,
                "first_sequence_number": str(records[0].sequence),
                "last_sequence_number": str(records[-1].sequence),
                "records": len(records),
                "applied": outcome.applied,
                "duplicates": outcome.duplicates,
                "transactions": len(outcome.committed),
            },
        )
        return outcome

    def _put_unreadable_aside(self, unreadable: Iterable[Unreadable], shard: str | None) -> None:
        for each in unreadable:
            bad = bad_record(each.raw, each.reason, shard)
            key = self._quarantine.put(bad)
            logger.warning(
                "quarantined", extra={"shard": bad.shard, "reason": bad.reason, "key": key}
            )

    def _put_aside(self, lane: Lane, rejected: Rejected) -> None:
        record = rejected.record
        key = self._quarantine.put(
            BadRecord(
                rejected.reason,
                lane.stream,
                lane.name,
                # As received: GetShardIterator takes no other form of it.
                str(record.raw["dynamodb"]["SequenceNumber"]),
                record.event_id,
                record.arrived,
                whole(record.raw),
            )
        )
        logger.warning(
            "quarantined",
            extra={
                "lane": lane.name,
                "sequence_number": str(record.sequence),
                "reason": rejected.reason,
                "key": key,
            },
        )


def response(event: Mapping[str, Any]) -> dict[str, Any]:
    """What a mapping with a tumbling window wants: the window's state, in which LEDA keeps nothing.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    """
    return {"state": event.get("state") or {}}
