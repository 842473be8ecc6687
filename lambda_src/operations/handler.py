"""fnOperations: the operators' routes. The API's authorizer has checked their tokens."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import logger, metrics
from leda.shop.http.api import CALL_LIMITS, Api
from leda.shop.http.operations import Operations

dynamodb = clients.sdk("dynamodb", CALL_LIMITS)
operations = Operations(
    dynamodb, settings.required("SHOP_TABLE"), settings.required("TOTALS_TABLE")
)
api = Api(
    {
        "GET /admin/inventory": operations.inventory,
        "GET /admin/orders": operations.orders,
        "GET /admin/orders/{id}": operations.order,
        "POST /admin/orders/{id}/pay": operations.pay,
        "POST /admin/orders/{id}/ship": operations.ship,
        "GET /admin/vendor-orders": operations.vendor_orders,
        "POST /admin/vendor-orders/{id}/receive": operations.receive,
        "POST /admin/vendor-orders/{id}/cancel": operations.cancel,
        "GET /admin/metrics": operations.metrics,
    }
)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answer the HTTP API's event."""
    return api(event)
