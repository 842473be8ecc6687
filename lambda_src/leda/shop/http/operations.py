"""The operators' routes: show inventory, orders, vendor orders and totals; pay and ship orders; close vendor orders.

Each change is made once: a repeated request is answered with the order or vendor order as it is.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from leda.shop import paging, reading, rows, times
from leda.shop.http import figures, lookups
from leda.shop.http.exchange import Answer, Request, operator_of
from leda.shop.orders import listings, orders
from leda.shop.refusals import RefusedError, not_found
from leda.shop.rows import Row
from leda.shop.stock import parts, vendor_orders
from leda.shop.stock.parts import Part
from leda.shop.write_loop import Decision, decide_and_write
from leda.streams.changes import UnreadableRowError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# A page of the inventory reads two totals of each part, in one BatchGetItem of at most 100 keys.
MOST_PARTS = 50


class Operations:
    """Reads and changes UnifiedTable, and reads the totals table. Every route requires an operator's token."""

    def __init__(self, client: "DynamoDBClient", table: str, totals: str) -> None:
        self._client = client
        self._table = table
        self._totals = totals

    def inventory(self, request: Request) -> Answer:
        """GET /admin/inventory: a page of the parts, with units ordered and sold, and the open vendor order."""
        operator_of(request)
        found = self._page(listings.parts(), request, most=MOST_PARTS)
        shown = lookups.readable_parts(found.rows)
        keys = [vendor_orders.current(part).key for part in shown]
        ordered = reading.batch(self._client, self._table, keys)
        counted = figures.of_products(self._client, self._totals, [part.product for part in shown])
        products = [
            _in_inventory(part, ordered.get(reading.pk_and_sk(key)), counted[part.product])
            for part, key in zip(shown, keys, strict=True)
        ]
        return Answer({"products": products, "nextCursor": found.cursor})

    def orders(self, request: Request) -> Answer:
        """GET /admin/orders?status=: a page; closed orders the newest first, others the oldest first."""
        operator_of(request)
        status = paging.choice(request.query, "status", orders.STATUSES)
        found = self._page(listings.orders_by_status(status), request)
        shown = [orders.summary(row, "shippingOption") for row in found.rows]
        return Answer({"orders": shown, "nextCursor": found.cursor})

    def order(self, request: Request) -> Answer:
        """GET /admin/orders/{id}: an order with its lines."""
        operator_of(request)
        return lookups.order(self._client, self._table, request)

    def pay(self, request: Request) -> Answer:
        """POST /admin/orders/{id}/pay: the order becomes Paid, so it cannot expire."""
        operator = operator_of(request)

        def actions(order: list[Row]) -> list["TransactWriteItemTypeDef"]:
            return orders.payment(self._table, order, times.now(), operator)

        # An order that was shipped without being paid stays Shipped.
        return self._change_order(request, actions, done=(orders.PAID, orders.SHIPPED))

    def ship(self, request: Request) -> Answer:
        """POST /admin/orders/{id}/ship: the order becomes Shipped, all of its rows in one transaction."""
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
        """Commit the actions for the order's rows, unless the order has a status of `done`; answer with the order."""

        def attempt() -> Decision[None]:
            order = lookups.order_rows(self._client, self._table, request)
            header = orders.header_of(order)
            if header is None:
                raise not_found("order")
            if header["status"]["S"] in done:
                return Decision(None)
            if header["status"]["S"] == orders.EXPIRED:
                raise RefusedError(
                    HTTPStatus.CONFLICT,
                    "OrderExpired",
                    "The order was not paid in time: its units are in stock again.",
                )
            return Decision(None, actions(order))

        decide_and_write(self._client, attempt)
        return lookups.order(self._client, self._table, request)

    def vendor_orders(self, request: Request) -> Answer:
        """GET /admin/vendor-orders?status=: a page; open vendor orders the oldest first, others the newest first."""
        operator_of(request)
        status = paging.choice(request.query, "status", vendor_orders.STATUSES)
        found = self._page(listings.vendor_orders_by_status(status), request)
        shown = [vendor_orders.document(row) for row in found.rows]
        return Answer({"vendorOrders": shown, "nextCursor": found.cursor})

    def receive(self, request: Request) -> Answer:
        """POST /admin/vendor-orders/{id}/receive: adds the units to the stock, and closes the vendor order."""
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
        """POST /admin/vendor-orders/{id}/cancel: closes the vendor order; a part that is still low gets another one."""
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
        """Commit the actions that give the open vendor order the closed `status`; return the vendor order.

        `actions` gets the vendor order's row, and its part (None if the part was deleted).
        """
        which = vendor_orders.named(request.path.get("id", ""))
        if which is None:
            raise not_found("vendor order")

        def attempt() -> Decision[None]:
            part_key = rows.part_key(which.product)
            found = reading.batch(self._client, self._table, [which.key, part_key])
            row = found.get(reading.pk_and_sk(which.key))
            if row is None:
                raise not_found("vendor order")
            if row["status"]["S"] == status:
                return Decision(None)
            if not vendor_orders.is_open(row):
                raise RefusedError(
                    HTTPStatus.CONFLICT,
                    "VendorOrderClosed",
                    f"The vendor order is {row['status']['S'].lower()} already.",
                )
            return Decision(None, actions(row, _part(found.get(reading.pk_and_sk(part_key)))))

        decide_and_write(self._client, attempt)
        found = reading.batch(self._client, self._table, [which.key])
        return Answer(vendor_orders.document(found[reading.pk_and_sk(which.key)]))

    def metrics(self, request: Request) -> Answer:
        """GET /admin/metrics: the number of orders, the number of shipped orders, and the revenue."""
        operator_of(request)
        return Answer(figures.of_shop(self._client, self._totals))

    def _page(
        self, listing: paging.Listing, request: Request, most: int = paging.MOST_ROWS
    ) -> paging.Page:
        return paging.page(self._client, self._table, listing, request.query, most)


def _part(row: Row | None) -> Part | None:
    """Read the part from its row; None where there is no row. Raises RefusedError."""
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
    part: Part, vendor_order: Row | None, counted: figures.ProductFigures
) -> dict[str, Any]:
    is_ordered = vendor_orders.is_open(vendor_order)
    return {
        **part.document(),
        "reorderBelow": part.reorder_below,
        "reorderQty": part.reorder_quantity,
        "ordered": counted.ordered,
        "sold": counted.sold,
        "openVendorOrder": (
            vendor_orders.document(vendor_order) if vendor_order and is_ordered else None
        ),
    }
