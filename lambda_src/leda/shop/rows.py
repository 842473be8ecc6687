"""UnifiedTable: every kind of row, its key, and the two sparse indexes.

| itemType      | pk                       | sk                      | written by                                      |
|---------------|--------------------------|-------------------------|-------------------------------------------------|
| part          | <product>                | <product>               | the merchant; orders and receipts change `qty`  |
| order         | CUST-ORDER-<order>       | Order                   | fnCreateOrder; fnOperations; fnExpireOrders     |
| orderLine     | CUST-ORDER-<order>       | <product>               | the same                                        |
| customerOrder | CUSTOMER-<customer>      | <created>#<order>       | the same                                        |
| clientToken   | CLIENT-TOKEN-<token>     | Order                   | fnCreateOrder                                   |
| unpaid        | UNPAID-<customer>        | Orders                  | those who write orders                          |
| vendorOrder   | VEND-ORDER-<product>-<n> | <product>               | fnCreateVendorOrder; fnOperations closes it     |

What was ordered and sold is counted in a table of its own (`figures`).

An index holds only the rows that have its keys, and a key may mean something else in each kind of row
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-indexes-general-sparse-indexes.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-gsi-overloading.html):

- `inventory` (inventoryKey, pk): the parts.
- `orders` (ordersKey, ordersSort): orders and vendor orders by status, sorted by when they were made; those that are
  closed, by when they were closed.

A customer's orders need no index: a query of the table, which shows an order at once.
"""

from decimal import Decimal
from typing import Any

from leda.streams.stream_records import Image
from leda.values import plain

Row = dict[str, Any]
"""An item in DynamoDB's JSON."""

PART, ORDER, LINE, CUSTOMER_ORDER = "part", "order", "orderLine", "customerOrder"
TOKEN, VENDOR_ORDER, UNPAID = "clientToken", "vendorOrder", "unpaid"

INVENTORY_INDEX, ORDERS_INDEX = "inventory", "orders"
INVENTORY = "part"
"""The inventoryKey of every part."""

_ORDER, _CUSTOMER, _TOKEN, _UNPAID, _VENDOR_ORDER = (
    "CUST-ORDER-",
    "CUSTOMER-",
    "CLIENT-TOKEN-",
    "UNPAID-",
    "VEND-ORDER-",
)
HEADER = "Order"
"""The sort key of an order's header; no product is called so, for products are in lower case."""


def key(pk: str, sk: str) -> Row:
    """A row's key."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def part_key(product: str) -> Row:
    """The key of a product's row."""
    return key(product, product)


def order_partition(order: str) -> str:
    """The partition key of an order's header and lines."""
    return _ORDER + order


def order_key(order: str) -> Row:
    """The key of an order's header."""
    return key(order_partition(order), HEADER)


def customer_partition(customer: str) -> str:
    """The partition key of a customer's list of orders."""
    return _CUSTOMER + customer


def unpaid_key(customer: str) -> Row:
    """The key of the row that counts a customer's unpaid orders."""
    return key(_UNPAID + customer, "Orders")


def order_of_partition(pk: str) -> str | None:
    """The order's ID in the partition key of its rows; None for the key of another kind of row."""
    return pk.removeprefix(_ORDER) if pk.startswith(_ORDER) else None


def token_key(token: str) -> Row:
    """The key of the row that remembers a client's token."""
    return key(_TOKEN + token, HEADER)


def vendor_order_key(product: str, number: int) -> Row:
    """The key of a product's vendor order of that number."""
    return key(f"{_VENDOR_ORDER}{product}-{number}", product)


def sort_place(created: str, identifier: str) -> str:
    """Where an order stands among others: the time of its making, then its ID."""
    return f"{created}#{identifier}"


def item(of_key: Row, kind: str, attributes: dict[str, str | int]) -> Row:
    """A row of that kind; texts become strings, integers Numbers."""
    typed = {
        name: {"S": value} if isinstance(value, str) else {"N": str(value)}
        for name, value in attributes.items()
    }
    return {**of_key, "itemType": {"S": kind}, **typed}


def values(row: Row) -> dict[str, Any]:
    """The attributes of a row that the shop's functions wrote, all its Numbers integers."""
    return plain.row(row, number=_whole)


def is_a(kind: str, row: Image) -> bool:
    """Whether the row is of that kind."""
    return row.get("itemType") == {"S": kind}


def _whole(text: str) -> int:
    value = Decimal(text)
    if value != value.to_integral_value():
        raise ValueError("a Number of the row is not whole")
    return int(value)
