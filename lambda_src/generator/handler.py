"""GeneratorLambda: plays one round of the workshop's game and keeps the score in ParameterTable.

The event may have `seed` (whole number), `messages` and `wait_seconds`. An EventBridge event has none of them.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import logger
from leda.pipeline.round import Stack, play
from leda.pipeline.schema import Schema

schema = Schema.from_json(settings.required("SCHEMA"))
stack = Stack(
    clients.sdk("kinesis"),
    clients.sdk("dynamodb"),
    stream=settings.required("STREAM_NAME"),
    totals=settings.required("AGGREGATE_TABLE"),
    parameters=settings.required("PARAMETER_TABLE"),
)
wait_seconds = float(settings.optional("WAIT_SECONDS") or 30)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Play one round. Returns what was sent, the seconds it took, the rows that differ and the score."""
    seconds = context.get_remaining_time_in_millis() / 1000
    return play(stack, schema, event, wait_seconds, seconds)
