"""ReduceLambda: from ReduceTable's stream to the totals in AggregateTable."""

from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda import settings
from leda.consumer import Consumer, response
from leda.faults import Faults
from leda.reduce_stage import ReduceStage
from leda.telemetry import count, lag, logger, metrics

dynamodb = boto3.client("dynamodb", config=settings.CLIENT)
consumer = Consumer.from_environment(dynamodb)
stage = ReduceStage(settings.required("AGGREGATE_TABLE"))
faults = Faults(dynamodb, settings.optional("PARAMETER_TABLE"), "FAILURE_REDUCE_LAMBDA_PCT")


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Add the event's delta rows to the totals, each row once."""
    outcome = consumer.consume(event, stage.plan)
    count(
        Records=len(event["Records"]),
        Duplicates=outcome.duplicates,
        Quarantined=len(outcome.rejected),
        DeltasApplied=sum(prefix.note.deltas for prefix in outcome.committed if prefix.note),
    )
    for prefix in outcome.committed:
        if prefix.note:
            lag(prefix.note.oldest)
    if faults.strike():
        # After the write: the worst place, as all of it is delivered again.
        faults.fail()
    return response(event)
