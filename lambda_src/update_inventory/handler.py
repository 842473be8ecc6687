"""fnUpdateInventory: from UnifiedTable's stream to the exact counts by product and the shop's totals."""

from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda import sdk, settings
from leda.consumer import Consumer, response
from leda.shop.sales import Sales
from leda.telemetry import count, logger, metrics

dynamodb = boto3.client("dynamodb", config=sdk.CLIENT)
consumer = Consumer.from_environment(dynamodb)
sales = Sales(settings.required("SHOP_TABLE"))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Add the event's changes to the counts, each change once."""
    outcome = consumer.consume(event, sales.plan)
    count(
        Records=len(event["Records"]),
        Duplicates=outcome.duplicates,
        Quarantined=outcome.quarantined,
    )
    return response(event)
