"""POST /orders over DynamoDB Local: each order is one transaction, made once and never beyond the stock; refusals."""

import base64
from collections import Counter
from typing import Any

import pytest

from leda.shop import write_loop
from simulation.failures import cancelled, client_error, timed_out
from support import log_lines
from support.at_once import at_once
from support.faults import Fault, after, instead, meanwhile
from support.shop import CUSTOMER, OPERATOR, ShopTables, http_event, order


@pytest.fixture
def shop(shop: ShopTables) -> ShopTables:
    shop.sell("vest", qty=10, price_cents=4999)
    shop.sell("axe", qty=100, price_cents=1)
    return shop


def test_an_order_is_made_with_its_lines_and_takes_its_units_from_the_stock(
    shop: ShopTables,
) -> None:
    made = shop.order(("vest", 2), ("axe", 3))

    assert made.status == 201
    shown = made.document
    assert shown == {
        "orderId": shown["orderId"],
        "status": "Created",
        "shippingOption": "standard",
        "totalCents": 2 * 4999 + 3,
        "createdAt": shown["createdAt"],
        "payBy": shown["payBy"],
        "shippedAt": None,
        "lines": [
            {"productId": "axe", "name": "Axe", "qty": 3, "priceCents": 1},
            {"productId": "vest", "name": "Vest", "qty": 2, "priceCents": 4999},
        ],
    }
    assert made.headers["location"] == f"/orders/{shown['orderId']}"
    assert (shop.stock("vest"), shop.stock("axe")) == (8, 97)
    types = Counter(row["itemType"]["S"] for row in shop.rows("UnifiedTable"))
    once = dict.fromkeys(("order", "customerOrder", "clientToken", "unpaid"), 1)
    assert types == {"part": 2, "orderLine": 2, **once}


def test_a_repeated_request_and_a_read_return_the_same_bytes(shop: ShopTables) -> None:
    shop.sell("hat")
    body = order(("vest", 2), ("hat", 1), ("axe", 3))
    first, again = (shop.request("POST /orders", body) for _ in range(2))

    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body
    assert again.headers == first.headers
    assert shop.stock("vest") == 8
    # Also when nothing is left in stock, and with the JSON in another order.
    assert shop.order(("vest", 8)).status == 201
    third = shop.request("POST /orders", dict(reversed(body.items())))
    assert third.body == first.body
    identifier = first.document["orderId"]
    assert shop.request("GET /orders/{id}", id=identifier).body == first.body
    assert shop.request("GET /admin/orders/{id}", id=identifier).body == first.body


def test_an_order_shows_neither_its_customer_nor_its_client_token(shop: ShopTables) -> None:
    body = order(("vest", 1))
    made = shop.request("POST /orders", body)
    identifier = made.document["orderId"]
    shop.change("ship", identifier)
    for answer in (
        made,
        shop.request("GET /orders/{id}", id=identifier),
        shop.request("GET /admin/orders/{id}", id=identifier),
        shop.request("GET /admin/orders", query={"status": "Shipped"}),
    ):
        assert identifier in answer.body
        assert body["customerId"] not in answer.body
        assert body["clientToken"] not in answer.body


def test_a_client_token_with_another_order_is_refused_and_shows_nothing(shop: ShopTables) -> None:
    body = order(("vest", 2))
    shop.request("POST /orders", body)
    for other in (
        {"lines": [{"productId": "vest", "qty": 3}]},
        {"customerId": "another-customer-1"},
        {"shippingOption": "drone"},
    ):
        answer = shop.request("POST /orders", body | other)
        assert answer.error == (422, "ClientTokenReused", "clientToken")
        assert answer.document.keys() == {"error"}
    assert shop.stock("vest") == 8


def test_an_order_for_missing_units_or_products_is_refused_and_writes_nothing(
    shop: ShopTables,
) -> None:
    before, wanted = shop.rows("UnifiedTable"), order(("axe", 1), ("vest", 11))

    assert shop.request("POST /orders", wanted).error == (409, "OutOfStock", "lines[1].qty")
    assert shop.order(("axe", 1), ("no-such", 1)).error == (
        422,
        "UnknownProduct",
        "lines[1].productId",
    )
    assert shop.rows("UnifiedTable") == before
    # A refusal is not stored: once there is enough, the same request makes an order.
    shop.sell("vest", qty=11)
    assert shop.request("POST /orders", wanted).status == 201


def test_an_unreadable_part_cannot_be_ordered(shop: ShopTables) -> None:
    broken = {"pk": {"S": "hat"}, "sk": {"S": "hat"}, "itemType": {"S": "part"}, "qty": {"N": "5"}}
    shop.put(broken)

    assert shop.order(("hat", 1)).error == (422, "UnknownProduct", "lines[0].productId")


def test_of_a_hundred_orders_at_once_for_the_last_ten_units_ten_are_made(shop: ShopTables) -> None:
    answers: list[str] = []
    function = shop.function("create_order")

    def buy() -> None:
        answer = shop.until_answered(order(("vest", 1), ("axe", 1)), function)
        # 200: an earlier try of the request, answered with "busy", had made the order.
        made = "made" if answer.status in (200, 201) else answer.document["error"]["code"]
        answers.append(made)

    at_once([buy] * 100)

    assert Counter(answers) == {"made": 10, "OutOfStock": 90}
    assert (shop.stock("vest"), shop.stock("axe")) == (0, 90)
    assert len(shop.of_type("order")) == len(shop.of_type("clientToken")) == 10


WITH_EFFECT = {
    "lost answer": after(timed_out()),
    "server error after the effect": after(client_error("InternalServerError", 500)),
}
WITHOUT_EFFECT = {
    "no answer": instead(timed_out()),
    "conflict": instead(cancelled("None", "TransactionConflict")),
    "throttled transaction": instead(cancelled("ThrottlingError", "None")),
    "in progress": instead(client_error("TransactionInProgressException")),
    "throttled": instead(client_error("ThrottlingException")),
}


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        *(pytest.param(fault, 1, id=name) for name, fault in WITH_EFFECT.items()),
        *(
            pytest.param(fault, times, id=f"{name}, {times} times")
            for name, fault in WITHOUT_EFFECT.items()
            for times in (1, 3)
        ),
    ],
)
def test_an_order_is_made_once_when_its_transaction_fails_or_its_answer_is_lost(
    shop: ShopTables, fault: Fault, times: int
) -> None:
    function, faults = shop.faulty("create_order")
    for nth in range(times):
        faults.arm("transact_write_items", nth + 1, fault)

    made = shop.order(("vest", 1), environment=function)

    assert made.status == 201
    assert [row["orderId"]["S"] for row in shop.of_type("order")] == [made.document["orderId"]]
    assert shop.stock("vest") == 9


def test_an_order_has_the_price_at_the_time_of_its_transaction(shop: ShopTables) -> None:
    function, faults = shop.faulty("create_order")
    dearer = meanwhile(lambda: shop.sell("vest", qty=10, price_cents=6000))
    faults.arm("transact_write_items", 1, dearer)

    made = shop.order(("vest", 1), environment=function)

    assert made.document["totalCents"] == 6000
    assert made.document["lines"][0]["priceCents"] == 6000
    assert faults.log.count("transact_write_items") == 2


def test_endless_conflicts_answer_503_with_retry_after(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_loop, "MOST_SECONDS", 0)
    function, faults = shop.faulty("create_order")
    faults.arm("transact_write_items", 1, instead(cancelled("TransactionConflict")))
    body = order(("vest", 1))

    refused = shop.request("POST /orders", body, environment=function)

    assert refused.error == (503, "Busy", None)
    assert refused.headers["retry-after"] == "1"
    assert shop.stock("vest") == 10
    assert shop.request("POST /orders", body, environment=function).status == 201


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (client_error("ThrottlingException"), 503),
        (client_error("ProvisionedThroughputExceededException"), 503),
        (client_error("InternalServerError", 500), 503),
        (timed_out(), 503),
        (client_error("AccessDeniedException"), 500),
    ],
)
def test_an_order_whose_first_read_fails_is_answered_and_writes_nothing(
    shop: ShopTables, error: Exception, status: int
) -> None:
    function, faults = shop.faulty("create_order")
    faults.arm("batch_get_item", 1, instead(error))

    answer = shop.order(("vest", 1), environment=function)

    assert answer.status == status
    assert shop.stock("vest") == 10


def test_an_order_may_have_as_many_lines_as_a_transaction_holds(shop: ShopTables) -> None:
    for number in range(49):
        shop.sell(f"part-{number}", qty=1)
    lines = [(f"part-{number}", 1) for number in range(49)]

    assert shop.order(*lines).error == (400, "InvalidRequest", "lines")
    assert shop.order(*lines[:48]).status == 201
    assert sum(shop.stock(product) for product, _ in lines) == 1


def test_a_base64_body_is_read_and_a_large_one_is_refused(shop: ShopTables) -> None:
    function = shop.function("create_order")
    event: Any = http_event("POST /orders", order(("vest", 1)))
    encoded = base64.b64encode(event["body"].encode()).decode()

    assert function(event | {"body": encoded, "isBase64Encoded": True})["statusCode"] == 201
    assert function(event | {"body": "?", "isBase64Encoded": True})["statusCode"] == 400
    assert function(event | {"body": " " * 16_385})["statusCode"] == 413
    assert (
        shop.function("storefront")({"routeKey": "GET /products", "body": "x" * 16_385})[
            "statusCode"
        ]
        == 200
    )


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("Application/JSON; charset=utf-8", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=application/json", 415),
        ("application/jsonp", 415),
        (None, 415),
    ],
)
def test_a_body_that_a_foreign_page_may_send_without_preflight_is_refused(
    shop: ShopTables, content_type: str | None, status: int
) -> None:
    event: Any = http_event("POST /orders", order(("vest", 1)))
    event["headers"] = {} if content_type is None else {"content-type": content_type}
    assert shop.function("create_order")(event)["statusCode"] == status
    assert shop.stock("vest") == (9 if status == 201 else 10)


def test_an_operators_change_accepts_no_body_or_a_json_body(shop: ShopTables) -> None:
    made = shop.order(("vest", 1)).document["orderId"]
    for route in ("pay", "ship"):
        name = f"POST /admin/orders/{{id}}/{route}"
        assert shop.request(name, id=made).status == 200
        assert shop.request(name, {}, id=made).status == 200
        event: Any = http_event(name, {}, {"id": made}, claims=OPERATOR)
        event["headers"] = {"content-type": "text/plain"}
        assert shop.function("operations")(event)["statusCode"] == 415


def test_the_log_holds_no_customer_id_client_token_or_order_id(shop: ShopTables) -> None:
    body = order(("vest", 1), customerId=CUSTOMER)
    with log_lines.recorded() as lines:
        made = shop.request("POST /orders", body)
        shop.request("POST /orders", body | {"lines": [{"productId": "vest", "qty": 99}]})
        shop.request("GET /customers/{id}/orders", id=CUSTOMER)

    assert [line["status"] for line in lines.of("answered")] == [201, 422, 200]
    for secret in (CUSTOMER, body["clientToken"], made.document["orderId"]):
        assert secret not in lines.text
