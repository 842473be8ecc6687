"""What operators see and do: inventory, orders, vendor orders and totals; pay and ship orders, close vendor orders.

Each change is made once however often it is asked for: a repeated request is answered with what is there.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from leda.aws.telemetry import logger
from leda.shop import paging, reading, rows, times
from leda.shop.http import figures
from leda.shop.http.exchange import Answer, Request, operator_of
from leda.shop.orders import listings, orders
from leda.shop.refusals import RefusedError, not_found
from leda.shop.rows import Row
from leda.shop.settling import Step, settle
from leda.shop.stock import parts, vendor_orders
from leda.shop.stock.parts import Part
from leda.shop.stock.vendor_orders import Number
from leda.streams.changes import UnreadableRowError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# A page of the inventory reads two totals of each part in one BatchGetItem of at most 100 keys.
MOST_PARTS = 50


class Operations:
    """Reads and changes UnifiedTable, and reads the totals; every route asks for an operator's token."""

    def __init__(self, client: "DynamoDBClient", table: str, totals: str) -> None:
        self._client = client
        self._table = table
        self._totals = totals

    def inventory(self, request: Request) -> Answer:
        """GET /admin/inventory: a page of the parts, with what is ordered of them, sold, and on its way to the shop."""
        operator_of(request)
        found = self._page(listings.parts(), request, most=MOST_PARTS)
        shown = []
        for row in found.rows:
            try:
                shown.append(parts.read(row))
            except UnreadableRowError as error:
                logger.error("unreadable part", extra={"key": row["pk"], "reason": str(error)})
        coming = reading.batch(
            self._client, self._table, [Number(part.product, part.restocks).key for part in shown]
        )
        counted = figures.of_products(self._client, self._totals, [part.product for part in shown])
        return Answer(
            {
                "products": [_in_inventory(part, coming, counted[part.product]) for part in shown],
                "nextCursor": found.cursor,
            }
        )

    def orders(self, request: Request) -> Answer:
        """GET /admin/orders?status=: a page; those that are closed the newest first, the others the oldest first."""
        operator_of(request)
        status = paging.choice(request.query, "status", orders.STATUSES)
        found = self._page(listings.orders_by_status(status), request)
        return Answer(
            {
                "orders": [orders.summary(row, "shippingOption") for row in found.rows],
                "nextCursor": found.cursor,
            }
        )

    def order(self, request: Request) -> Answer:
        """GET /admin/orders/{id}: what is to be packed."""
        operator_of(request)
        return self._shown_order(request)

    def pay(self, request: Request) -> Answer:
        """POST /admin/orders/{id}/pay: the order is paid, and does not expire any more."""
        operator = operator_of(request)

        def actions(order: list[Row]) -> list["TransactWriteItemTypeDef"]:
            return orders.payment(self._table, order, times.now(), operator)

        # What is shipped already is not waited for.
        return self._change_order(request, actions, done=(orders.PAID, orders.SHIPPED))

    def ship(self, request: Request) -> Answer:
        """POST /admin/orders/{id}/ship: header, lines and the customer's row in one transaction."""
        operator = operator_of(request)

        def actions(order: list[Row]) -> list["TransactWriteItemTypeDef"]:
            return orders.shipment(self._table, order, times.now(), operator)

        return self._change_order(request, actions, done=(orders.SHIPPED,))

    def _change_order(
        self,
        request: Request,
        actions: Callable[[list[Row]], list["TransactWriteItemTypeDef"]],
        done: tuple[str, ...],
    ) -> Answer:
        """Change an order unless it has one of the statuses `done`, and show it."""

        def attempt() -> Step[None]:
            order = self._read_order(request)
            header = orders.header_of(order)
            if header is None:
                raise not_found("order")
            if header["status"]["S"] in done:
                return Step(None)
            if header["status"]["S"] == orders.EXPIRED:
                raise RefusedError(
                    HTTPStatus.CONFLICT,
                    "OrderExpired",
                    "The order was not paid in time: its units are in stock again.",
                )
            return Step(None, actions(order))

        settle(self._client, attempt)
        return self._shown_order(request)

    def _read_order(self, request: Request) -> list[Row]:
        identifier = request.path.get("id", "")
        if not orders.is_identifier(identifier):
            return []
        return reading.order(self._client, self._table, identifier)

    def _shown_order(self, request: Request) -> Answer:
        shown = orders.document(self._read_order(request))
        if shown is None:
            raise not_found("order")
        return Answer(shown)

    def vendor_orders(self, request: Request) -> Answer:
        """GET /admin/vendor-orders?status=: a page; the open ones the oldest first, the others the newest first."""
        operator_of(request)
        status = paging.choice(request.query, "status", vendor_orders.STATUSES)
        found = self._page(listings.vendor_orders_by_status(status), request)
        return Answer(
            {
                "vendorOrders": [vendor_orders.document(row) for row in found.rows],
                "nextCursor": found.cursor,
            }
        )

    def receive(self, request: Request) -> Answer:
        """POST /admin/vendor-orders/{id}/receive: the units are in stock, and the vendor order is closed."""
        operator = operator_of(request)

        def actions(row: Row, part: Part | None) -> list["TransactWriteItemTypeDef"]:
            if part is None:
                raise RefusedError(
                    HTTPStatus.CONFLICT,
                    "PartGone",
                    "The product is not sold any more. Cancel the vendor order, or make the product again.",
                )
            return vendor_orders.receipt(self._table, row, part, times.now(), operator)

        return self._close(request, vendor_orders.RECEIVED, actions)

    def cancel(self, request: Request) -> Answer:
        """POST /admin/vendor-orders/{id}/cancel: it is closed, and a part that is still low gets another one."""
        operator = operator_of(request)

        def actions(row: Row, part: Part | None) -> list["TransactWriteItemTypeDef"]:
            return vendor_orders.cancellation(self._table, row, part, times.now(), operator)

        return self._close(request, vendor_orders.CANCELLED, actions)

    def _close(
        self,
        request: Request,
        status: str,
        actions: Callable[[Row, Part | None], list["TransactWriteItemTypeDef"]],
    ) -> Answer:
        """Close a vendor order in that way, once, and show it. `actions` gets its row, and its part if it is there."""
        which = vendor_orders.named(request.path.get("id", ""))
        if which is None:
            raise not_found("vendor order")

        def attempt() -> Step[None]:
            part_key = rows.part_key(which.product)
            found = reading.batch(self._client, self._table, [which.key, part_key])
            row = found.get(reading.place(which.key))
            if row is None:
                raise not_found("vendor order")
            if row["status"]["S"] == status:
                return Step(None)
            if not vendor_orders.is_open(row):
                raise RefusedError(
                    HTTPStatus.CONFLICT,
                    "VendorOrderClosed",
                    f"The vendor order is {row['status']['S'].lower()} already.",
                )
            return Step(None, actions(row, _part(found.get(reading.place(part_key)))))

        settle(self._client, attempt)
        found = reading.batch(self._client, self._table, [which.key])
        return Answer(vendor_orders.document(found[reading.place(which.key)]))

    def metrics(self, request: Request) -> Answer:
        """GET /admin/metrics: how many orders, how many of them shipped, and what all of them come to."""
        operator_of(request)
        return Answer(figures.of_shop(self._client, self._totals))

    def _page(
        self, listing: paging.Listing, request: Request, most: int = paging.MOST_ROWS
    ) -> paging.Page:
        return paging.page(self._client, self._table, listing, request.query, most)


def _part(row: Row | None) -> Part | None:
    """The part in the row, None where there is no row. Raises RefusedError."""
    if row is None:
        return None
    try:
        return parts.read(row)
    except UnreadableRowError as error:
        raise RefusedError(
            HTTPStatus.CONFLICT,
            "PartUnreadable",
            f"The product's row must be corrected first: {error}.",
        ) from error


def _in_inventory(
    part: Part, coming: dict[tuple[str, str], Row], counted: figures.OfProduct
) -> dict[str, Any]:
    vendor_order = coming.get(reading.place(Number(part.product, part.restocks).key))
    is_coming = vendor_orders.is_open(vendor_order)
    return {
        **part.document(),
        "reorderBelow": part.reorder_below,
        "reorderQty": part.reorder_quantity,
        "ordered": counted.ordered,
        "sold": counted.sold,
        "openVendorOrder": (
            vendor_orders.document(vendor_order) if vendor_order and is_coming else None
        ),
    }
