"""The lists of parts, orders and vendor orders that the routes return in pages."""

import re
from collections.abc import Callable

from leda.shop import rows
from leda.shop.orders import orders
from leda.shop.paging import Listing
from leda.shop.rows import Row
from leda.shop.stock import vendor_orders

_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z"
_ORDER_PLACE = re.compile(f"{_TIME}#{orders.IDENTIFIER}", re.ASCII)
_VENDOR_ORDER_PLACE = re.compile(f"{_TIME}#{vendor_orders.IDENTIFIER}", re.ASCII)
# The place of a row that `parts.read` refuses, which may be any text: a list goes on behind such a row.
_PRODUCT_PLACE = re.compile(".+", re.DOTALL)


def parts() -> Listing:
    """Return the list of all parts, sorted by product."""
    return Listing(
        partition=("inventoryKey", rows.INVENTORY),
        sort="pk",
        place=_PRODUCT_PLACE,
        key_at=lambda place: {"inventoryKey": {"S": rows.INVENTORY}, **rows.part_key(place)},
        index=rows.INVENTORY_INDEX,
    )


def orders_of(customer: str) -> Listing:
    """Return the list of a customer's orders, the newest first."""
    partition = rows.customer_partition(customer)
    return Listing(
        partition=("pk", partition),
        sort="sk",
        place=_ORDER_PLACE,
        key_at=lambda place: rows.key(partition, place),
        forward=False,
    )


def orders_by_status(status: str) -> Listing:
    """Return the list of a status' orders: closed orders the newest first, others the oldest first."""

    def key_at(place: str) -> Row:
        return _in_orders(orders.index_key(status), place) | rows.order_key(_identifier(place))

    forward = status not in orders.CLOSED
    return _of_orders(orders.index_key(status), _ORDER_PLACE, key_at, forward)


def vendor_orders_by_status(status: str) -> Listing:
    """Return the list of a status' vendor orders: open ones the oldest first, others the newest first."""

    def key_at(place: str) -> Row:
        which = vendor_orders.named(_identifier(place))
        assert which is not None, "the pattern of places contains the pattern of IDs"
        return _in_orders(vendor_orders.index_key(status), place) | which.key

    forward = status not in vendor_orders.CLOSED
    return _of_orders(vendor_orders.index_key(status), _VENDOR_ORDER_PLACE, key_at, forward)


def _of_orders(
    value: str, place: re.Pattern[str], key_at: Callable[[str], Row], forward: bool
) -> Listing:
    return Listing(
        partition=("ordersKey", value),
        sort="ordersSort",
        place=place,
        key_at=key_at,
        index=rows.ORDERS_INDEX,
        forward=forward,
    )


def _in_orders(value: str, place: str) -> Row:
    return {"ordersKey": {"S": value}, "ordersSort": {"S": place}}


def _identifier(place: str) -> str:
    return place.partition("#")[2]
