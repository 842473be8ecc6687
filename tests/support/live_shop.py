"""The applied shop for the deployed tests: products of a test's own, orders, and tokens that the API refuses."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from leda.shop.stock import parts
from leda_cli.demos.shop_client import TAKEN, Answer, Shop, new_request
from leda_cli.demos.shop_ledger import counted, figures
from leda_cli.operate.totals.comparison import compare, difference_lines

PRICE = 1250


def stock(
    shop: Shop,
    name: str = "test article",
    qty: int = 100,
    price: int = PRICE,
    reorder_below: int = 0,
    reorder_qty: int = 50,
) -> str:
    """Add a product, and return its ID. By default it is never reordered."""
    product = f"test-{secrets.token_hex(6)}"
    shop.aws.client("dynamodb").put_item(
        TableName=shop.table,
        Item=parts.item(product, name, "For a test.", price, qty, reorder_below, reorder_qty),
        ConditionExpression="attribute_not_exists(pk)",
    )
    return product


def left(shop: Shop, product: str) -> int:
    """The stock of a product as the shop shows it."""
    return int(shop.customers.get("products", product).body["qty"])


def placed(
    shop: Shop, lines: Mapping[str, int], customer: str | None = None, shipping: str = "standard"
) -> dict[str, Any]:
    """Place an order, which the shop must accept; returns the answer's body."""
    answer = shop.customers.order(new_request(lines, customer, shipping))
    assert answer.status in TAKEN, answer
    body: dict[str, Any] = answer.body
    return body


def shipped(shop: Shop, order: str) -> Answer:
    """Ship an order as an operator."""
    return shop.operators.post("admin", "orders", order, "ship")


def shelf(shop: Shop, product: str) -> dict[str, Any]:
    """A product in the operators' inventory."""
    (found,) = (
        each
        for each in shop.operators.each("products", "admin", "inventory")
        if each["productId"] == product
    )
    return found


def vendor_orders(shop: Shop, product: str, status: str = "Open") -> list[dict[str, Any]]:
    """The vendor orders of a product."""
    every = shop.operators.each("vendorOrders", "admin", "vendor-orders", status=status, limit=100)
    return [order for order in every if order["productId"] == product]


def counts_that_differ(shop: Shop) -> list[str]:
    """The differences between the counts that the operators' routes show and a sum over the table's orders."""
    shown = figures(
        shop.operators.each("products", "admin", "inventory"),
        [],
        shop.operators.get("admin", "metrics").body,
    )
    found = {name: value for name, value in shown.items() if not name.endswith(": in stock")}
    return list(difference_lines(compare(counted(shop.rows()), found)))


def refused(token: str) -> str:
    """The token with another signature, which the API refuses as it refuses one that has ended."""
    return token[:-9] + "A" * 9


def for_another_client(shop: Shop) -> str:
    """A token of the same user pool for another client."""
    pool = shop.aws.outputs["sign_in"]["user_pool_id"]
    users = shop.aws.client("cognito-idp")
    client = users.create_user_pool_client(
        UserPoolId=pool,
        ClientName="another program",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    answer = users.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": shop.operator.email, "PASSWORD": shop.operator.password},
    )
    return str(answer["AuthenticationResult"]["IdToken"])
