"""What Terraform makes of the shop: routes, authorizer, schedule, counts and the lake.

The functions themselves are tested over DynamoDB Local (tests/emulated/test_shop_*.py), the demo places, pays and
ships orders (fresh/test_demo.py), and test_contract.py sends good and bad requests to every route.

MiniStack retries without limit and loses the rest of a batch with reported failures, so no test here shows how a
failure is handled. The simulation does.
"""

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from leda.shop.stream.lake_lines import order_ref
from leda_cli.base.errors import LedaError
from leda_cli.base.paths import ROOT
from leda_cli.demos.hosted_sign_in import sign_in
from leda_cli.demos.redelivery import Redelivery
from leda_cli.demos.shop_client import Answer, Shop, ShopClient
from leda_cli.demos.shop_ledger import best_sellers
from support import live_shop
from support.live_aws import wait_for
from support.openapi import OpenApi

# Whether a route of the OpenAPI document needs a token, by route key.
ROUTES = {
    route: bool(operation.get("security"))
    for route, operation in OpenApi(ROOT / "modules/shop/openapi.json").operations.items()
}


# -- the API


def test_the_api_has_exactly_the_routes_of_the_openapi_document(shop: Shop) -> None:
    api = shop.customers.url.rpartition("/")[2]
    routes = shop.aws.client("apigatewayv2").get_routes(ApiId=api)["Items"]
    assert {
        route["RouteKey"]: route.get("AuthorizationType") == "JWT" for route in routes
    } == ROUTES


def test_cors_allows_the_origin_of_the_site_alone(shop: Shop) -> None:
    def preflight(origin: str) -> Answer:
        return shop.customers.call(
            "OPTIONS",
            "/orders",
            origin=origin,
            access_control_request_method="POST",
            access_control_request_headers="content-type",
        )

    own = shop.url.rpartition("/")[0]
    assert preflight(own).headers["access-control-allow-origin"] == own
    assert "access-control-allow-origin" not in preflight("https://elsewhere.example").headers


@pytest.mark.parametrize("route", [route for route, is_protected in ROUTES.items() if is_protected])
def test_an_operators_route_answers_401_without_a_token(shop: Shop, route: str) -> None:
    method, path = route.replace("{id}", "any").split(" ")
    assert ShopClient(shop.customers.url, None).call(method, path).status == 401


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda _shop: "", id="empty"),
        pytest.param(lambda _shop: "a.b.c", id="nonsense"),
        pytest.param(lambda shop: live_shop.refused(shop.operator.token), id="signature"),
        pytest.param(live_shop.for_another_client, id="wrong-audience"),
        pytest.param(lambda shop: shop.operator.tokens["access_token"], id="access-token"),
        pytest.param(lambda shop: shop.operator.tokens["refresh_token"], id="refresh-token"),
    ],
)
def test_an_operators_route_answers_401_to_what_is_no_id_token_of_its_client(
    shop: Shop, token: Callable[[Shop], str]
) -> None:
    """API Gateway checks signature and expiry by itself; the module says whose tokens it takes."""
    answer = ShopClient(shop.customers.url, token(shop)).get("admin", "metrics")
    assert answer.status == 401
    assert set(answer.body) <= {"message", "error"}


def test_sign_in_fails_without_an_account_or_with_a_wrong_password(shop: Shop) -> None:
    settings = shop.site["signIn"]
    for email, password in (
        (shop.operator.email, "Wrong-9-password"),
        ("nobody@example.com", shop.operator.password),
    ):
        with pytest.raises(LedaError, match="could not sign in"):
            sign_in(settings, shop.operators_url, email, password)


def test_an_unpaid_order_expires_and_returns_its_units_to_the_stock(shop: Shop) -> None:
    """A schedule invokes the function every few minutes; the test invokes it at once, with an overdue order."""
    product = live_shop.stock(shop, qty=9)
    due, paid, waiting = (live_shop.placed(shop, {product: 2})["orderId"] for _ in range(3))
    assert shop.operators.post("admin", "orders", paid, "pay").body["status"] == "Paid"
    for order in (due, paid):
        shop.aws.client("dynamodb").update_item(
            TableName=shop.table,
            Key={"pk": {"S": f"CUST-ORDER-{order}"}, "sk": {"S": "Order"}},
            # First in the index: the function stops at the first order that is not due.
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


# -- counts


def resting_rows(shop: Shop) -> list[dict[str, Any]]:
    """Wait until ten reads of the table in a row are equal, and return its rows."""
    seen: list[list[dict[str, Any]]] = []

    def look() -> bool:
        seen.append(sorted(shop.rows(), key=str))
        return len(seen) > 10 and all(each == seen[-1] for each in seen[-10:])

    wait_for("a table at rest", look)
    return seen[-1]


def test_delivering_the_stream_again_changes_no_count_and_no_vendor_order(shop: Shop) -> None:
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


def test_best_sellers_and_revenue_count_each_change_once(shop: Shop) -> None:
    """fnWriteFirehose delivers at least once, so the test lets it deliver everything twice."""
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


def test_time_to_shipment_and_restocks_match_the_table(shop: Shop) -> None:
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


def test_the_lake_holds_no_order_id_customer_id_or_client_token(shop: Shop) -> None:
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
