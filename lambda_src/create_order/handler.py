"""fnCreateOrder: POST /orders."""

from datetime import timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import logger, metrics
from leda.shop.http.api import CALL_LIMITS, Api
from leda.shop.http.ordering import Ordering

dynamodb = clients.sdk("dynamodb", CALL_LIMITS)
ordering = Ordering(
    dynamodb,
    settings.required("SHOP_TABLE"),
    pay_within=timedelta(minutes=settings.positive("PAY_WITHIN_MINUTES", 24 * 60)),
    most_unpaid=settings.positive("MOST_UNPAID_ORDERS", 20),
)
api = Api({"POST /orders": ordering.create})


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Make the order that the HTTP API's event asks for."""
    return api(event)
