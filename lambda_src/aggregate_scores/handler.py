"""AggregateScoresByUser: from GameScoreRecords' stream to each user's total in GameScoresByUser."""

from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda import sdk, settings
from leda.consumer import Consumer, response
from leda.scores_stage import ScoresStage
from leda.telemetry import count, logger, metrics

dynamodb = boto3.client("dynamodb", config=sdk.CLIENT)
consumer = Consumer.from_environment(dynamodb)
stage = ScoresStage(settings.required("SCORES_TABLE"))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Add the event's changes to the users' totals, each change once."""
    outcome = consumer.consume(event, stage.plan)
    count(
        Records=len(event["Records"]),
        Duplicates=outcome.duplicates,
        Quarantined=outcome.quarantined,
    )
    return response(event)
