"""The rows of UnifiedTable: their kinds and keys, the two sparse indexes, and the actions that update them.

| itemType      | pk                       | sk                      | written by                                      |
|---------------|--------------------------|-------------------------|-------------------------------------------------|
| part          | <product>                | <product>               | the merchant; orders and receipts change `qty`  |
| order         | CUST-ORDER-<order>       | Order                   | fnCreateOrder; fnOperations; fnExpireOrders     |
| orderLine     | CUST-ORDER-<order>       | <product>               | the same                                        |
| customerOrder | CUSTOMER-<customer>      | <created>#<order>       | the same                                        |
| clientToken   | CLIENT-TOKEN-<token>     | Order                   | fnCreateOrder                                   |
| unpaid        | UNPAID-<customer>        | Orders                  | the functions that write orders                 |
| vendorOrder   | VEND-ORDER-<product>-<n> | <product>               | fnCreateVendorOrder; fnOperations closes it     |

The engine counts what was ordered and sold in another table (`figures`).

An index holds only the rows that have its key attributes, and those may mean something else in each kind of row
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-indexes-general-sparse-indexes.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-gsi-overloading.html):

- `inventory` (inventoryKey, pk): the parts.
- `orders` (ordersKey, ordersSort): orders and vendor orders by status, sorted by the time at which they were made, or
  closed.

A customer's orders are read from the table itself, without an index, so that a new order is shown at once.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from leda.streams.stream_records import Image
from leda.values import dynamodb_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

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
"""The sort key of an order's header. No line has it, because a line's sort key is a product, in lower case."""

_NAME = re.compile(r"#(\w+)")


def key(pk: str, sk: str) -> Row:
    """Return a row's key."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def part_key(product: str) -> Row:
    """Return the key of a product's row."""
    return key(product, product)


def order_partition(order: str) -> str:
    """Return the partition key of an order's header and lines."""
    return _ORDER + order


def order_key(order: str) -> Row:
    """Return the key of an order's header."""
    return key(order_partition(order), HEADER)


def customer_partition(customer: str) -> str:
    """Return the partition key of a customer's list of orders."""
    return _CUSTOMER + customer


def unpaid_key(customer: str) -> Row:
    """Return the key of the row that counts a customer's unpaid orders."""
    return key(_UNPAID + customer, "Orders")


def order_of_partition(pk: str) -> str | None:
    """Return the order's ID that the partition key holds; None for the key of another kind of row."""
    return pk.removeprefix(_ORDER) if pk.startswith(_ORDER) else None


def token_key(token: str) -> Row:
    """Return the key of the row that stores which order a client token has made."""
    return key(_TOKEN + token, HEADER)


def vendor_order_key(product: str, number: int) -> Row:
    """Return the key of a product's vendor order of that number."""
    return key(f"{_VENDOR_ORDER}{product}-{number}", product)


def sort_place(moment: str, identifier: str) -> str:
    """Return the sort key of an order or a vendor order in a list: the time by which it is sorted, then its ID."""
    return f"{moment}#{identifier}"


def item(of_key: Row, kind: str, attributes: dict[str, str | int]) -> Row:
    """Return a row of that kind; a str becomes a String, an int a Number."""
    return {**of_key, "itemType": {"S": kind}, **_typed(attributes)}


def _typed(attributes: dict[str, str | int]) -> Row:
    return {
        name: {"S": value} if isinstance(value, str) else {"N": str(value)}
        for name, value in attributes.items()
    }


def update(
    table: str, of_key: Row, expression: str, condition: str | None, /, **given: str | int
) -> "TransactWriteItemTypeDef":
    """Return the action of a transaction that updates the row, if the condition holds.

    In both expressions, `#status` is the attribute `status`, and `:status` is the argument `status`.
    """
    names = _NAME.findall(f"{expression} {condition}")
    action: UpdateTypeDef = {
        "TableName": table,
        "Key": of_key,
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
        "ExpressionAttributeValues": {f":{name}": each for name, each in _typed(given).items()},
    }
    if condition:
        action["ConditionExpression"] = condition
    return {"Update": action}


def setting(names: Iterable[str]) -> str:
    """Return the update expression that sets each attribute to the value of its name.

    >>> setting(["status", "paidAt"])
    'SET #status = :status, #paidAt = :paidAt'
    """
    return "SET " + ", ".join(f"#{name} = :{name}" for name in names)


def values(row: Row) -> dict[str, Any]:
    """Return the attributes of a row that the shop's functions wrote, its Numbers as int."""
    return dynamodb_json.read_item(row, number=_whole)


def is_a(kind: str, row: Image) -> bool:
    """Return whether the row is of that kind."""
    return row.get("itemType") == {"S": kind}


def _whole(text: str) -> int:
    value = Decimal(text)
    if value != value.to_integral_value():
        raise ValueError("a Number of the row is not whole")
    return int(value)
