"""Reads and checks the body of POST /orders.

    {"clientToken": "7f0c...", "customerId": "c5d1...", "shippingOption": "standard",
     "lines": [{"productId": "camo-tactical-vest", "qty": 2}]}

A request names no prices: the parts' rows have them.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from leda.aws.transactions import MAX_ACTIONS
from leda.shop.refusals import invalid
from leda.shop.stock.parts import PRODUCT

# An order's transaction writes four rows (the header, the row in the customer's list, the token, the count of the
# customer's unpaid orders), and two rows for each line: the line and the part.
MAX_LINES = (MAX_ACTIONS - 4) // 2
# An order takes units out of stock before it is paid, so one order must not empty the shop.
MAX_QUANTITY = 100
MAX_QUANTITY_OF_AN_ORDER = 200

SHIPPING_OPTIONS = ("standard", "1-day", "drone")
# The client draws its IDs at random: whoever knows a customer's ID can read the customer's orders.
SECRET = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)

_FIELDS = ("clientToken", "customerId", "shippingOption", "lines")
_LINE_FIELDS = ("productId", "qty")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order: a product, and its quantity."""

    product: str
    quantity: int


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """The checked content of the body."""

    token: str
    customer: str
    shipping: str
    lines: tuple[Line, ...]

    @property
    def fingerprint(self) -> str:
        """A hash of the content: a client token that was used with another content is refused."""
        asked = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()


def read(document: Any) -> OrderRequest:
    """Read the body's JSON document. Raises RefusedError, which names the first field that is wrong."""
    asked = _object(document, "body", _FIELDS)
    lines = asked["lines"]
    if not isinstance(lines, list) or not 1 <= len(lines) <= MAX_LINES:
        raise invalid("lines", f"lines is a list of 1 to {MAX_LINES} lines.")
    request = OrderRequest(
        token=_matching(asked, "clientToken"),
        customer=_matching(asked, "customerId"),
        shipping=_shipping(asked["shippingOption"]),
        lines=tuple(_line(line, f"lines[{place}]") for place, line in enumerate(lines)),
    )
    seen: set[str] = set()
    for place, line in enumerate(request.lines):
        if line.product in seen:
            raise invalid(f"lines[{place}].productId", "The product is in an earlier line already.")
        seen.add(line.product)
    if sum(line.quantity for line in request.lines) > MAX_QUANTITY_OF_AN_ORDER:
        raise invalid("lines", f"An order has at most {MAX_QUANTITY_OF_AN_ORDER} units.")
    return request


def _line(document: Any, field: str) -> Line:
    line = _object(document, field, _LINE_FIELDS)
    product, quantity = line["productId"], line["qty"]
    if not isinstance(product, str) or not PRODUCT.fullmatch(product):
        raise invalid(f"{field}.productId", "A product's ID is words in lower case with hyphens.")
    # JSON's 2.0 is a whole number. JSON's true is not a number, although a bool is an int in Python.
    is_number = isinstance(quantity, int | Decimal) and not isinstance(quantity, bool)
    if not is_number or not 1 <= quantity <= MAX_QUANTITY or quantity != int(quantity):
        raise invalid(f"{field}.qty", f"qty is a whole number from 1 to {MAX_QUANTITY}.")
    return Line(product, int(quantity))


def _shipping(option: Any) -> str:
    if option not in SHIPPING_OPTIONS:
        raise invalid("shippingOption", f"shippingOption is one of {', '.join(SHIPPING_OPTIONS)}.")
    return str(option)


def _matching(asked: Mapping[str, Any], field: str) -> str:
    text = asked[field]
    if not isinstance(text, str) or not SECRET.fullmatch(text):
        raise invalid(field, f"{field} is 16 to 64 letters, digits, hyphens or underscores.")
    return text


def _object(document: Any, field: str, names: Iterable[str]) -> Mapping[str, Any]:
    """Return the document if it is a JSON object with exactly the fields `names`. Raises RefusedError."""
    if not isinstance(document, dict):
        raise invalid(field, f"{field} is a JSON object.")
    prefix = "" if field == "body" else f"{field}."
    for name in names:
        if name not in document:
            raise invalid(prefix + name, f"{prefix}{name} is missing.")
    if document.keys() - set(names):
        # The message leaves the name out, because it may have any length and content.
        raise invalid(field, f"{field} has a field that is not known.")
    return document
