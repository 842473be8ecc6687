"""The applied shop for the deployed tests: products of a test's own, orders, and invalid tokens."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

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


def tampered(token: str) -> str:
    """The token with another subject and its old signature."""
    header, payload, signature = token.split(".")
    claims = _decoded(payload) | {"sub": "somebody-else", "email": "boss@example.com"}
    return ".".join((header, _encoded(claims), signature))


def unsigned(token: str) -> str:
    """The token's claims under the algorithm "none"."""
    _header, payload, _signature = token.split(".")
    return f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{payload}."


def expired(shop: Shop, token: str) -> str:
    """The token with times that make it expired, signed with the pool's key, which MiniStack keeps in a file."""
    header, payload, _signature = token.split(".")
    now = int(time.time())
    claims = _decoded(payload) | {"iat": now - 7200, "auth_time": now - 7200, "exp": now - 3600}
    return _signed(shop, header, claims)


def signed_again(shop: Shop, token: str) -> str:
    """The same token with a new signature, to show that the API accepts signatures of `expired`."""
    header, payload, _signature = token.split(".")
    return _signed(shop, header, _decoded(payload))


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


def _signed(shop: Shop, header: str, claims: Mapping[str, Any]) -> str:
    pool = shop.aws.outputs["sign_in"]["user_pool_id"]
    key = load_pem_private_key(_key_file(shop.aws.terraform.work, pool).read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    text = f"{header}.{_encoded(claims)}"
    signature = key.sign(text.encode(), PKCS1v15(), hashes.SHA256())
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _key_file(work: Path, pool: str) -> Path:
    """The file with the key of the pool's ID tokens, in the instance's folder."""
    name = f"root/state/cognito-pool-keys/{pool}-id.pem"
    return next(folder / name for folder in work.parents if (folder / name).exists())


def _decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _encoded(claims: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
