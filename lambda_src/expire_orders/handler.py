"""fnExpireOrders: on a schedule, closes the orders that were not paid in time."""

from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import settings
from leda.aws.telemetry import count, logger, metrics
from leda.shop.http.api import CLIENT
from leda.shop.orders.expiring import Expiring

dynamodb = boto3.client("dynamodb", config=CLIENT)
expiring = Expiring(dynamodb, settings.required("SHOP_TABLE"))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], context: LambdaContext) -> None:
    """Close what is due. Raises ExpiryError."""
    closed = expiring.run(context.get_remaining_time_in_millis)
    count(Expired=closed)
    logger.info("expired", extra={"orders": closed})
