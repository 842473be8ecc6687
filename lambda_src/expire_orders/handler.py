"""fnExpireOrders: closes, on a schedule, the orders that were not paid in time."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import logger, metrics
from leda.shop.http.api import CALL_LIMITS
from leda.shop.orders.expiring import Expiring

dynamodb = clients.sdk("dynamodb", CALL_LIMITS)
expiring = Expiring(dynamodb, settings.required("SHOP_TABLE"))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], context: LambdaContext) -> None:
    """Close the orders that are due. Raises ExpiryError."""
    expiring.run(context.get_remaining_time_in_millis)
