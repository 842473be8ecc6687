"""ReduceLambda: from ReduceTable's stream to the totals in AggregateTable."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import lazy_client, settings
from leda.aws.dynamodb_client import connect
from leda.aws.faults import Faults
from leda.aws.telemetry import count, lag, logger, metrics
from leda.engine import shards
from leda.engine.registry import Definitions, Epochs, Registry
from leda.engine.rejects import Rejects
from leda.engine.totals import KEY, Outcome, Totals
from leda.quarantine.bucket import Quarantine
from leda.streams import stream_records

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
registry = Registry(dynamodb_with_tries, settings.required("REGISTRY_TABLE"))
totals = Totals(
    dynamodb,
    settings.required("AGGREGATE_TABLE"),
    Epochs(registry, lazy_client.dynamodb_streams()),
    Definitions(registry).of,
    rejects.put,
    settings.positive("REDUCE_THREADS", default=4),
    settings.optional("TOTALS_KEY") or KEY,
)
only_shards = (
    shards.OnlyShards(lazy_client.dynamodb_streams()) if settings.optional("SINGLE_SHARD") else None
)
faults = Faults(
    dynamodb_with_tries, settings.optional("PARAMETER_TABLE"), "FAILURE_REDUCE_LAMBDA_PCT"
)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Add the event's rows of ReduceTable to the totals, each row once.

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
            DeltasApplied=outcome.applied,
        )
        lag(outcome.oldest)
    if faults.strike():
        # After the write: the worst place, as all of it is delivered again.
        faults.fail()
    return {"state": event.get("state") or {}}


def _add(event: dict[str, Any], batch: stream_records.Batch) -> Outcome:
    if not batch.records:
        return Outcome()
    shard = shards.of_event(event, batch.records, only_shards)
    outcome = totals.apply(shard, batch.records)
    logger.info(
        "consumed",
        extra={
            **shards.extent(shard, batch.records),
            "applied": outcome.applied,
            "duplicates": outcome.duplicates,
            "totals_written": outcome.written,
        },
    )
    return outcome
