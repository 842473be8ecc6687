"""dynamodb-stream-capture-replica: from a table's stream to the same items in another table."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import settings
from leda.aws.telemetry import count, logger, metrics
from leda.quarantine.writer import PutAside
from leda.replica import replica_client
from leda.replica.replica import Marks, Replica
from leda.streams import stream_batch
from leda.streams.item_changes import ItemChange, UnreadableChangeError, read
from leda.streams.stream_batch import bad_record

dynamodb = replica_client.client(
    settings.required("REPLICA_REGION"),
    settings.optional("REPLICA_ROLE_ARN"),
    settings.required("AWS_LAMBDA_FUNCTION_NAME"),
)
replica = Replica(
    dynamodb,
    settings.required("REPLICA_TABLE"),
    Marks(settings.required("PLACE_ATTRIBUTE"), settings.required("END_ATTRIBUTE")),
    retention=settings.positive("TOMBSTONE_SECONDS", default=7 * 24 * 3600),
)
put_aside = PutAside.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Write the event's changes; answers the records that must come again (partial batch response)."""
    shard = event.get("shardId")
    changes: list[ItemChange] = []
    bad = []
    for raw in event["Records"]:
        try:
            changes.append(read(raw))
        except UnreadableChangeError as error:
            bad.append(bad_record(raw, str(error), shard))
    report = replica.apply(changes)
    bad += [bad_record(change.record.raw, reason, shard) for change, reason in report.refused]
    failed = put_aside.put(bad) | {change.sequence_number for change in report.failed}
    counts = {
        "Records": len(event["Records"]),
        "Written": report.written,
        "Passed": report.passed,
        "Superseded": report.superseded,
        "Quarantined": sum(record.sequence_number not in failed for record in bad),
    }
    count(**counts)
    logger.info("replicated", extra={**counts, "failed_records": len(failed)})
    return stream_batch.answer(failed)
