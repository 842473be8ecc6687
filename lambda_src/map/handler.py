"""MapLambda: from StateTable's stream to delta rows in ReduceTable."""

from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda import settings
from leda.consumer import Consumer, response
from leda.faults import Faults
from leda.map_stage import MapStage
from leda.schema import Schema
from leda.telemetry import count, logger, metrics

dynamodb = boto3.client("dynamodb", config=settings.CLIENT)
consumer = Consumer.from_environment(dynamodb)
stage = MapStage(
    settings.required("REDUCE_TABLE"),
    Schema.from_json(settings.required("SCHEMA")),
    lanes=settings.positive("REDUCE_LANES", default=1),
    retention_seconds=settings.positive("DELTA_RETENTION_SECONDS", default=7 * 24 * 3600),
)
faults = Faults(dynamodb, settings.optional("PARAMETER_TABLE"), "FAILURE_MAP_LAMBDA_PCT")


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Sum the changes of the event into delta rows, each change once."""
    outcome = consumer.consume(event, stage.plan)
    count(
        Records=len(event["Records"]),
        Duplicates=outcome.duplicates,
        Quarantined=len(outcome.rejected),
    )
    if faults.strike():
        # After the write: the worst place, as all of it is delivered again.
        faults.fail()
    return response(event)
