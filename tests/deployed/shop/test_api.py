"""The shop, applied: orders over HTTP, sign-in, the rush for the last ten, what the stream makes of it.

What is refused, and why, is tested with the same functions over DynamoDB Local (tests/emulated/test_shop_*.py), and
test_contract.py sends good and bad requests to every route.

It runs on MiniStack, which retries as it likes and loses what a batch reports as failed: nothing here shows how a
failure is handled. That is the simulation's.
"""

import json
import random
import secrets
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from leda.shop.stream.lake_lines import order_ref
from leda_cli.base.errors import LedaError
from leda_cli.base.paths import ROOT
from leda_cli.demos.hosted_sign_in import sign_in
from leda_cli.demos.redelivery import Redelivery
from leda_cli.demos.shop_client import TAKEN, Answer, Shop, ShopClient, new_request
from leda_cli.demos.shop_ledger import best_sellers
from support import live_shop
from support.live_aws import wait_for

OPENAPI: dict[str, Any] = json.loads(Path(ROOT / "modules/shop/openapi.json").read_text())
ADMIN = (
    ("GET", "/admin/inventory"),
    ("GET", "/admin/orders"),
    ("GET", "/admin/orders/any"),
    ("POST", "/admin/orders/any/pay"),
    ("POST", "/admin/orders/any/ship"),
    ("GET", "/admin/vendor-orders"),
    ("POST", "/admin/vendor-orders/any/receive"),
    ("POST", "/admin/vendor-orders/any/cancel"),
    ("GET", "/admin/metrics"),
)


# -- the API as it is applied


def test_the_api_has_the_routes_of_the_openapi_document_and_no_others(shop: Shop) -> None:
    api = shop.customers.url.rpartition("/")[2]
    routes = shop.aws.client("apigatewayv2").get_routes(ApiId=api)["Items"]
    documented = {
        f"{method.upper()} {path}": bool(operation.get("security"))
        for path, operations in OPENAPI["paths"].items()
        for method, operation in operations.items()
        if method in ("get", "post")
    }
    assert {
        route["RouteKey"]: route.get("AuthorizationType") == "JWT" for route in routes
    } == documented


def test_browsers_of_the_site_may_call_and_no_others(shop: Shop) -> None:
    def asked(origin: str) -> Answer:
        return shop.customers.call(
            "OPTIONS",
            "/orders",
            origin=origin,
            access_control_request_method="POST",
            access_control_request_headers="content-type",
        )

    own = shop.url.rpartition("/")[0]
    assert asked(own).headers["access-control-allow-origin"] == own
    assert "access-control-allow-origin" not in asked("https://elsewhere.example").headers


def test_answers_are_json_that_nobody_keeps(shop: Shop) -> None:
    for answer in (
        shop.customers.get("products"),
        shop.customers.get("products", "nothing"),
        shop.customers.post("orders", body={}),
        shop.operators.get("admin", "metrics"),
    ):
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.headers["cache-control"] == "no-store"


# -- products


def test_every_product_is_listed_once_whatever_the_page_size(shop: Shop) -> None:
    products = {live_shop.stock(shop) for _ in range(3)}
    pages = [
        [each["productId"] for each in shop.customers.each("products", "products", limit=limit)]
        for limit in (1, 2, 100)
    ]
    assert pages[0] == pages[1] == pages[2]
    assert len(set(pages[0])) == len(pages[0])
    assert products <= set(pages[0])


def test_a_product_has_its_price_and_its_stock_and_an_unknown_one_is_404(shop: Shop) -> None:
    product = live_shop.stock(shop, name="Lantern", qty=7, price=1999)
    assert shop.customers.get("products", product).body == {
        "productId": product,
        "name": "Lantern",
        "description": "For a test.",
        "priceCents": 1999,
        "qty": 7,
    }
    answer = shop.customers.get("products", f"{product}-x")
    assert (answer.status, answer.error["code"]) == (404, "NotFound")


# -- orders


def test_an_order_takes_its_lines_off_the_shelves_and_can_be_read_by_its_number(
    shop: Shop,
) -> None:
    one = live_shop.stock(shop, name="Rope", qty=10, price=333)
    two = live_shop.stock(shop, name="Candle", qty=10, price=1)
    request = new_request({one: 3, two: 10}, shipping="drone")
    answer = shop.customers.order(request)

    assert answer.status in TAKEN
    assert answer.headers["location"].endswith(f"/orders/{answer.body['orderId']}")
    created = answer.body["createdAt"]
    lines = {
        one: {"productId": one, "name": "Rope", "qty": 3, "priceCents": 333},
        two: {"productId": two, "name": "Candle", "qty": 10, "priceCents": 1},
    }
    assert answer.body == {
        "orderId": answer.body["orderId"],
        "status": "Created",
        "shippingOption": "drone",
        "totalCents": 3 * 333 + 10,
        "createdAt": created,
        "payBy": answer.body["payBy"],
        "shippedAt": None,
        "lines": [lines[product] for product in sorted(lines)],
    }
    found = shop.customers.get("orders", answer.body["orderId"])
    assert (found.status, found.content) == (200, answer.content)
    assert (live_shop.left(shop, one), live_shop.left(shop, two)) == (7, 0)
    missing = shop.customers.get("orders", secrets.token_urlsafe(16))
    assert (missing.status, missing.error["code"]) == (404, "NotFound")


def test_a_retried_order_is_answered_with_the_order_it_made(shop: Shop) -> None:
    products = sorted((live_shop.stock(shop, qty=5) for _ in range(4)), reverse=True)
    request = new_request(dict.fromkeys(products, 2))
    first = shop.customers.order(request)
    again = shop.customers.order(request)
    reordered = shop.customers.order(dict(reversed(request.items())))

    assert (first.status, again.status, reordered.status) == (201, 200, 200)
    assert first.content == again.content == reordered.content
    assert {live_shop.left(shop, product) for product in products} == {3}


def test_of_100_at_once_for_the_last_10_exactly_10_succeed(shop: Shop) -> None:
    product = live_shop.stock(shop, qty=10)
    requests = [new_request({product: 1}) for _ in range(100)]
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(shop.customers.order, requests))

    orders = {answer.body["orderId"] for answer in answers if answer.status in TAKEN}
    refused = [answer.error["code"] for answer in answers if answer.status not in TAKEN]
    assert len(orders) == 10
    assert refused == ["OutOfStock"] * 90
    assert live_shop.left(shop, product) == 0
    lines = [row for row in shop.rows() if row["sk"] == {"S": product} and "orderId" in row]
    assert sorted(row["orderId"]["S"] for row in lines) == sorted(orders)


def test_a_customers_orders_are_the_newest_first_and_nobody_elses(shop: Shop) -> None:
    product = live_shop.stock(shop)
    customer = secrets.token_urlsafe(18)
    placed = [live_shop.placed(shop, {product: each + 1}, customer) for each in range(5)]
    live_shop.placed(shop, {product: 1})
    live_shop.shipped(shop, placed[0]["orderId"])

    expected = [
        {
            "orderId": order["orderId"],
            "status": "Shipped" if order is placed[0] else "Created",
            "lines": 1,
            "totalCents": order["totalCents"],
            "createdAt": order["createdAt"],
        }
        for order in reversed(placed)
    ]
    for limit in (2, 50):
        listed = shop.customers.each("orders", "customers", customer, "orders", limit=limit)
        assert list(listed) == expected
    nobody = shop.customers.get("customers", secrets.token_urlsafe(18), "orders")
    assert nobody.body == {"orders": [], "nextCursor": None}


# -- operators


@pytest.mark.parametrize(("method", "path"), ADMIN)
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda _shop: None, id="none"),
        pytest.param(lambda _shop: "", id="empty"),
        pytest.param(lambda _shop: "a.b.c", id="nonsense"),
        pytest.param(lambda shop: live_shop.tampered(shop.operator.token), id="tampered"),
        pytest.param(lambda shop: live_shop.unsigned(shop.operator.token), id="unsigned"),
        pytest.param(lambda shop: live_shop.expired(shop, shop.operator.token), id="expired"),
        pytest.param(live_shop.for_another_client, id="wrong-audience"),
        pytest.param(lambda shop: shop.operator.tokens["access_token"], id="access-token"),
        pytest.param(lambda shop: shop.operator.tokens["refresh_token"], id="refresh-token"),
    ],
)
def test_an_operators_route_is_401_without_a_good_token(
    shop: Shop, method: str, path: str, token: Callable[[Shop], str | None]
) -> None:
    answer = ShopClient(shop.customers.url, token(shop)).call(method, path)
    assert answer.status == 401
    assert set(answer.body) <= {"message", "error"}


def test_an_operators_token_is_taken_also_when_it_is_signed_again(shop: Shop) -> None:
    again = ShopClient(shop.customers.url, live_shop.signed_again(shop, shop.operator.token))
    assert shop.operators.get("admin", "metrics").status == 200
    assert again.get("admin", "metrics").status == 200


def test_who_has_no_account_or_a_wrong_password_gets_no_token(shop: Shop) -> None:
    settings = shop.site["signIn"]
    for email, password in (
        (shop.operator.email, "Wrong-9-password"),
        ("nobody@example.com", shop.operator.password),
    ):
        with pytest.raises(LedaError, match="could not sign in"):
            sign_in(settings, shop.operators_url, email, password)


def test_orders_are_listed_by_status_the_oldest_first(shop: Shop) -> None:
    product = live_shop.stock(shop)
    orders = [live_shop.placed(shop, {product: 1})["orderId"] for _ in range(4)]
    live_shop.shipped(shop, orders[1])

    def listed(**query: str | int) -> list[str]:
        every = shop.operators.each("orders", "admin", "orders", limit=3, **query)
        return [each["orderId"] for each in every if each["orderId"] in orders]

    wait_for("the orders in the index", listed, lambda seen: seen == [orders[0], *orders[2:]])
    wait_for("the shipped one", lambda: listed(status="Shipped"), lambda seen: seen == [orders[1]])


def test_an_order_that_nobody_pays_gives_its_units_back(shop: Shop) -> None:
    """The schedule starts the function; here it is called as well, and the order's time to pay is over already."""
    product = live_shop.stock(shop, qty=9)
    due, paid, waiting = (live_shop.placed(shop, {product: 2})["orderId"] for _ in range(3))
    assert shop.operators.post("admin", "orders", paid, "pay").body["status"] == "Paid"
    for order in (due, paid):
        shop.aws.client("dynamodb").update_item(
            TableName=shop.table,
            Key={"pk": {"S": f"CUST-ORDER-{order}"}, "sk": {"S": "Order"}},
            # Before every other: they are closed until one is not due.
            UpdateExpression="SET payBy = :past, ordersSort = :first",
            ExpressionAttributeValues={
                ":past": {"S": "2020-01-01T00:00:00.000Z"},
                ":first": {"S": f"2020-01-01T00:00:00.000Z#{order}"},
            },
        )
    answer = shop.aws.client("lambda").invoke(FunctionName=shop.function("expire_orders"))

    assert "FunctionError" not in answer, answer["Payload"].read()
    orders = (shop.customers.get("orders", order).body for order in (due, paid, waiting))
    assert [order["status"] for order in orders] == ["Expired", "Paid", "Created"]
    assert live_shop.left(shop, product) == 5
    shipping = live_shop.shipped(shop, due)
    assert (shipping.status, shipping.error["code"]) == (409, "OrderExpired")


# -- what the stream makes of it


def test_a_product_that_runs_low_is_reordered_once_and_again_only_when_that_came_in(
    shop: Shop,
) -> None:
    product = live_shop.stock(shop, qty=12, reorder_below=10, reorder_qty=30)
    live_shop.placed(shop, {product: 2})
    for _ in range(6):
        live_shop.placed(shop, {product: 1})
    (order,) = wait_for("a vendor order", lambda: live_shop.vendor_orders(shop, product))
    assert (order["vendorOrderId"], order["qty"], order["status"]) == (f"{product}-0", 30, "Open")
    assert live_shop.shelf(shop, product)["openVendorOrder"] == order

    for _ in range(2):  # an operator who clicks twice receives once
        answer = shop.operators.post("admin", "vendor-orders", order["vendorOrderId"], "receive")
        assert answer.status == 200
        assert answer.body["status"] == "Received"
        assert answer.body["receivedBy"]
    assert live_shop.left(shop, product) == 12 - 8 + 30
    wait_for(
        "no open vendor order",
        lambda: live_shop.vendor_orders(shop, product),
        lambda seen: not seen,
    )

    live_shop.placed(shop, {product: 30})
    (second,) = wait_for("the next one", lambda: live_shop.vendor_orders(shop, product))
    assert second["vendorOrderId"] == f"{product}-1"
    (first,) = live_shop.vendor_orders(shop, product, "Received")
    assert first["vendorOrderId"] == order["vendorOrderId"]


def test_ordered_and_sold_are_counted_by_product(shop: Shop) -> None:
    one, two = live_shop.stock(shop), live_shop.stock(shop)
    orders = [live_shop.placed(shop, {one: each, two: 1})["orderId"] for each in (1, 2, 3)]
    live_shop.shipped(shop, orders[2])

    def counts() -> list[tuple[int, int]]:
        found = (live_shop.shelf(shop, product) for product in (one, two))
        return [(product["ordered"], product["sold"]) for product in found]

    wait_for("the counts", counts, lambda seen: seen == [(6, 3), (3, 1)])


def resting_rows(shop: Shop) -> list[dict[str, Any]]:
    """The table as soon as a second in which nothing changed has passed."""
    seen: list[list[dict[str, Any]]] = []

    def look() -> bool:
        seen.append(sorted(shop.rows(), key=str))
        return len(seen) > 10 and all(each == seen[-1] for each in seen[-10:])

    wait_for("a table at rest", look)
    return seen[-1]


def test_every_count_stays_what_the_orders_add_up_to_when_the_stream_comes_again(
    shop: Shop,
) -> None:
    wait_for("exact counts", lambda: live_shop.counts_that_differ(shop), lambda seen: not seen)
    before = resting_rows(shop)
    stream = shop.aws.outputs["table"]["stream_arn"]
    for part in ("update_inventory", "create_vendor_order"):
        again = Redelivery(
            shop.aws.client("dynamodbstreams"),
            shop.aws.client("lambda"),
            stream,
            shop.function(part),
            random.Random(5),
        )
        again.once()
        again.everything()
        assert again.records
    assert resting_rows(shop) == before
    assert live_shop.counts_that_differ(shop) == []


# -- the lake


def lake_rows(shop: Shop, name: str, *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[column] for column in columns) for row in shop.query(name)]


def test_best_sellers_and_revenue_by_day_are_what_was_ordered_each_change_counted_once(
    shop: Shop,
) -> None:
    """Also when Firehose gets everything twice: fnWriteFirehose delivers at least once."""
    again = Redelivery(
        shop.aws.client("dynamodbstreams"),
        shop.aws.client("lambda"),
        shop.aws.outputs["table"]["stream_arn"],
        shop.function("write_firehose"),
        random.Random(6),
    )
    again.once()
    rows = shop.rows()
    revenue: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row["itemType"] == {"S": "orderLine"} and row["status"] != {"S": "Expired"}:
            key = row["createdAt"]["S"][:10], row["productId"]["S"]
            revenue[key] += int(row["qty"]["N"]) * int(row["priceCents"]["N"])

    wait_for(
        "the best sellers",
        lambda: lake_rows(shop, "best sellers", "product_id", "units", "revenue_cents"),
        lambda seen: seen
        == [(product, str(units), str(cents)) for product, units, cents in best_sellers(rows)],
        limit=90,
    )
    by_day = lake_rows(
        shop, "revenue by day and product", "ordered_on", "product_id", "revenue_cents"
    )
    assert by_day == [(*key, str(value)) for key, value in sorted(revenue.items())]


def test_time_to_shipment_and_restocks_are_what_the_table_says(shop: Shop) -> None:
    product = live_shop.stock(shop, qty=5, reorder_below=5)
    live_shop.shipped(shop, live_shop.placed(shop, {product: 1})["orderId"])
    (order,) = wait_for("a vendor order", lambda: live_shop.vendor_orders(shop, product))
    shop.operators.post("admin", "vendor-orders", order["vendorOrderId"], "receive")
    rows = shop.rows()
    shipped = [
        row
        for row in rows
        if row["itemType"] == {"S": "order"} and row["status"] == {"S": "Shipped"}
    ]
    received = Counter(
        row["productId"]["S"]
        for row in rows
        if row["itemType"] == {"S": "vendorOrder"} and row["status"] == {"S": "Received"}
    )
    assert received[product] == 1
    wait_for(
        "the shipped orders",
        lambda: sum(int(row["orders"]) for row in shop.query("time from order to shipment")),
        lambda seen: seen == len(shipped),
        limit=90,
    )
    for row in shop.query("time from order to shipment"):
        assert 0 <= float(row["fastest_seconds"]) <= float(row["average_seconds"])
        assert float(row["average_seconds"]) <= float(row["slowest_seconds"])
    wait_for(
        "the restocks",
        lambda: lake_rows(shop, "restocks", "product_id", "restocks"),
        lambda seen: seen == [(each, str(count)) for each, count in sorted(received.items())],
        limit=90,
    )


def test_nothing_in_the_lake_opens_an_order_or_a_customers_orders(shop: Shop) -> None:
    order = live_shop.placed(shop, {live_shop.stock(shop): 1})["orderId"]
    reference = order_ref(order)
    changes = wait_for(
        "the order in the lake",
        lambda: shop.select("SELECT * FROM changes"),
        lambda seen: any(change["order_ref"] == reference for change in seen),
        limit=90,
    )
    rows = shop.rows()
    orders = [row for row in rows if row["itemType"] == {"S": "order"}]
    tokens = [row["pk"]["S"] for row in rows if row["itemType"] == {"S": "clientToken"}]
    secrets_ = {row[name]["S"] for row in orders for name in ("orderId", "customerId")}
    secrets_ |= {token.removeprefix("CLIENT-TOKEN-") for token in tokens}
    text = json.dumps(changes)
    assert not [secret for secret in secrets_ if secret in text]
    assert shop.customers.get("orders", reference).status == 404


def test_nothing_was_quarantined(shop: Shop) -> None:
    bucket = shop.aws.outputs["quarantine_bucket"]["name"]
    assert "Contents" not in shop.aws.client("s3").list_objects_v2(Bucket=bucket)
