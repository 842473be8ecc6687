"""fnStorefront: the customers' routes that read."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import logger, metrics
from leda.shop.http.api import CALL_LIMITS, Api
from leda.shop.http.storefront import Storefront

dynamodb = clients.sdk("dynamodb", CALL_LIMITS)
storefront = Storefront(dynamodb, settings.required("SHOP_TABLE"))
api = Api(
    {
        "GET /products": storefront.products,
        "GET /products/{id}": storefront.product,
        "GET /orders/{id}": storefront.order,
        "GET /customers/{id}/orders": storefront.orders_of_customer,
    }
)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answer the HTTP API's event."""
    return api(event)
