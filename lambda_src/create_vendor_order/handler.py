"""fnCreateVendorOrder: from the changes of parts, which fnReadStream hands on, to vendor orders for what runs low."""

from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda import sdk, settings
from leda.consumer import Consumer, response
from leda.shop.restocking import Restocking
from leda.telemetry import count, logger, metrics

dynamodb = boto3.client("dynamodb", config=sdk.CLIENT)
consumer = Consumer.from_environment(dynamodb)
restocking = Restocking(dynamodb, settings.required("SHOP_TABLE"))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Make the vendor orders that the event's parts want, each once."""
    outcome = consumer.consume(event, restocking.plan)
    count(
        Records=len(event["Records"]),
        Duplicates=outcome.duplicates,
        Quarantined=outcome.quarantined,
    )
    return response(event)
