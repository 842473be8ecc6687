"""What operators see and do: inventory, orders by status, vendor orders, totals; ship an order, receive a vendor order.

Both changes are made once however often they are asked for: whoever asks again is shown what is there.
"""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from leda.changes import UnreadableRow
from leda.shop import listings, orders, paging, parts, reading, rows, times, vendor_orders
from leda.shop.exchange import Answer, Request, operator_of
from leda.shop.parts import Part
from leda.shop.refusals import Refused, not_found
from leda.shop.rows import Row
from leda.shop.settling import Step, settle
from leda.shop.vendor_orders import Number
from leda.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A page of the inventory reads each part's counts and vendor order in one BatchGetItem of at most 100 keys.
MOST_PARTS = 50


class Operations:
    """Reads and changes one table; every route asks for an operator's token."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def inventory(self, request: Request) -> Answer:
        """GET /admin/inventory: a page of the parts, with what is ordered of them, sold, and on its way to the shop."""
        operator_of(request)
        found = self._page(listings.parts(), request, most=MOST_PARTS)
        shown = []
        for row in found.rows:
            try:
                shown.append(parts.read(row))
            except UnreadableRow as error:
                logger.error("unreadable part", extra={"key": row["pk"], "reason": str(error)})
        beside = [rows.counts_key(part.product) for part in shown]
        beside += [Number(part.product, part.restocks).key for part in shown]
        others = reading.batch(self._client, self._table, beside)
        return Answer(
            {
                "products": [_in_inventory(part, others) for part in shown],
                "nextCursor": found.cursor,
            }
        )

    def orders(self, request: Request) -> Answer:
        """GET /admin/orders?status=: a page, the oldest first."""
        operator_of(request)
        status = paging.choice(request.query, "status", orders.STATUSES)
        found = self._page(listings.orders_by_status(status), request)
        return Answer(
            {
                "orders": [
                    orders.summary(row, "customerId", "shippingOption") for row in found.rows
                ],
                "nextCursor": found.cursor,
            }
        )

    def ship(self, request: Request) -> Answer:
        """POST /admin/orders/{id}/ship: header, lines and the customer's row in one transaction."""
        operator = operator_of(request)
        identifier = request.path.get("id", "")

        def attempt() -> Step[None]:
            order = (
                reading.order(self._client, self._table, identifier)
                if orders.is_identifier(identifier)
                else []
            )
            header = next((row for row in order if rows.is_a(rows.ORDER, row)), None)
            if header is None:
                raise not_found("order")
            if header["status"]["S"] == orders.SHIPPED:
                return Step(None)
            return Step(None, orders.shipment(self._table, order, times.now(), operator))

        settle(self._client, attempt)
        return Answer(orders.document(reading.order(self._client, self._table, identifier)))

    def vendor_orders(self, request: Request) -> Answer:
        """GET /admin/vendor-orders?status=: a page, the oldest first."""
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
        """POST /admin/vendor-orders/{id}/receive: the pieces are in stock, and the vendor order is closed."""
        operator = operator_of(request)
        which = vendor_orders.named(request.path.get("id", ""))
        if which is None:
            raise not_found("vendor order")

        def attempt() -> Step[None]:
            found = reading.batch(
                self._client, self._table, [which.key, rows.part_key(which.product)]
            )
            row = found.get(reading.place(which.key))
            if row is None:
                raise not_found("vendor order")
            if row["status"]["S"] == vendor_orders.RECEIVED:
                return Step(None)
            part = found.get((which.product, which.product), {})
            if part.get("restocks") != {"N": str(which.number)}:
                raise Refused(
                    HTTPStatus.CONFLICT,
                    "PartGone",
                    "The part was deleted, or made anew, since the vendor order was made.",
                )
            return Step(None, vendor_orders.receipt(self._table, row, times.now(), operator))

        settle(self._client, attempt)
        found = reading.batch(self._client, self._table, [which.key])
        return Answer(vendor_orders.document(found[reading.place(which.key)]))

    def metrics(self, request: Request) -> Answer:
        """GET /admin/metrics: how many orders, how many of them shipped, and what all of them come to."""
        operator_of(request)
        key = rows.metrics_key()
        known = rows.values(
            reading.batch(self._client, self._table, [key]).get(reading.place(key), {})
        )
        return Answer(
            {
                "orders": known.get("qty", 0),
                "shipped": known.get("shipped", 0),
                "revenueCents": known.get("revenueCents", 0),
            }
        )

    def _page(
        self, listing: paging.Listing, request: Request, most: int = paging.MOST_ROWS
    ) -> paging.Page:
        return paging.page(self._client, self._table, listing, request.query, most)


def _in_inventory(part: Part, others: dict[tuple[str, str], Row]) -> dict[str, Any]:
    counts = rows.values(others.get(reading.place(rows.counts_key(part.product)), {}))
    vendor_order = others.get(reading.place(Number(part.product, part.restocks).key))
    return {
        **part.document(),
        "reorderBelow": part.reorder_below,
        "reorderQty": part.reorder_quantity,
        "ordered": counts.get("ordered", 0),
        "sold": counts.get("sold", 0),
        "openVendorOrder": vendor_order and vendor_orders.document(vendor_order),
    }
