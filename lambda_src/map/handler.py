"""MapLambda: from StateTable's stream to rows of sums in ReduceTable."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import lazy_client, settings
from leda.aws.dynamodb_client import connect
from leda.aws.faults import Faults
from leda.aws.telemetry import count, gigabytes, logger, metrics
from leda.engine import shards
from leda.engine.configuration import Configuration
from leda.engine.map_rows import MapRows, Outcome
from leda.engine.registry import Registry, SourceShards
from leda.engine.rejects import Rejects
from leda.quarantine.bucket import Quarantine
from leda.streams import stream_records
from leda.values.limits import Limits

# Writes of batches have their own backoff; the other calls have the SDK's three tries.
dynamodb, dynamodb_with_tries = connect(), connect(tries=3)
rejects = Rejects(
    Quarantine(
        lazy_client.s3(),
        settings.required("QUARANTINE_BUCKET"),
        settings.required("AWS_LAMBDA_FUNCTION_NAME"),
    ),
    logger.warning,
)
rows = MapRows(
    dynamodb,
    settings.required("REDUCE_TABLE"),
    Limits.from_json(settings.required("LIMITS")),
    SourceShards(
        Registry(dynamodb_with_tries, settings.required("REGISTRY_TABLE")),
        Configuration.from_json(settings.required("CONFIGURATION")),
        settings.positive("REDUCE_LANES", default=1),
        needs_backfill=settings.optional("BACKFILL") == "required",
    ),
    settings.positive("DELTA_RETENTION_SECONDS", default=2 * 24 * 3600),
    rejects.put,
)
only_shards = (
    shards.OnlyShards(lazy_client.dynamodb_streams()) if settings.optional("SINGLE_SHARD") else None
)
faults = Faults(dynamodb_with_tries, settings.optional("PARAMETER_TABLE"), "FAILURE_MAP_LAMBDA_PCT")


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Add the event's changes to the rows of ReduceTable, each change once.

    The last event of a tumbling window has no records. The answer must hold the window's state, in which LEDA keeps
    nothing: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    """
    if event["Records"]:
        batch = stream_records.read(event["Records"])
        rejects.put_unreadable(event, batch.unreadable)
        outcome = _add(event, batch)
        count(
            Records=len(event["Records"]),
            Duplicates=outcome.duplicates,
            Quarantined=len(outcome.rejected) + len(batch.unreadable),
            Waiting=outcome.waiting,
        )
    if faults.strike():
        # After the write: the worst place, as all of it is delivered again.
        faults.fail()
    return {"state": event.get("state") or {}}


def _add(event: dict[str, Any], batch: stream_records.Batch) -> Outcome:
    if not batch.records:
        return Outcome()
    shard = shards.of_event(event, batch.records, only_shards)
    outcome = rows.write(shard, batch.records)
    gigabytes(LaneGigabytes=outcome.lane_gigabytes)
    logger.info(
        "consumed",
        extra={
            **shards.extent(shard, batch.records),
            "rows": outcome.rows,
            "duplicates": outcome.duplicates,
            "waiting": outcome.waiting,
        },
    )
    return outcome
