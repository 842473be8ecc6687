"""Unpaid orders: limits of their size and number, payment, and expiry."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from leda.shop import times
from simulation.failures import cancelled, timed_out
from support.at_once import at_once
from support.faults import after, instead, meanwhile
from support.pipeline import Function
from support.shop import CUSTOMER, Response, ShopTables, order

DAY = timedelta(days=1)


@pytest.fixture
def shop(shop: ShopTables) -> ShopTables:
    shop.sell("vest", qty=1000, price_cents=4999)
    shop.sell("axe", qty=1000, price_cents=1)
    return shop


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Set the shop's clock ahead."""
    now = times.after
    monkeypatch.setattr(times, "after", lambda delay: now(delay + by))


def status_of(shop: ShopTables, identifier: str) -> str:
    found: str = shop.request("GET /orders/{id}", id=identifier).document["status"]
    return found


# -- limits


def test_an_order_has_at_most_100_units_of_a_line_and_200_in_all(shop: ShopTables) -> None:
    shop.sell("hat", qty=1000)
    assert shop.order(("vest", 101)).error == (400, "InvalidRequest", "lines[0].qty")
    most = (("vest", 100), ("axe", 100))
    assert shop.order(*most, ("hat", 1)).error == (400, "InvalidRequest", "lines")
    assert shop.order(*most).status == 201
    assert (shop.stock("vest"), shop.stock("axe"), shop.stock("hat")) == (900, 900, 1000)


def test_a_customer_has_at_most_twenty_unpaid_orders(shop: ShopTables) -> None:
    def ask() -> Response:
        return shop.request("POST /orders", order(("vest", 1), customerId=CUSTOMER))

    made = [ask().document["orderId"] for _ in range(20)]
    assert ask().error == (409, "TooManyUnpaid", "customerId")
    assert shop.order(("vest", 1)).status == 201
    assert shop.stock("vest") == 1000 - 21

    assert shop.change("pay", made[0]).status == 200
    assert ask().status == 201
    assert ask().status == 409
    # Shipping an unpaid order lowers the number of unpaid ones; shipping a paid order does not lower it again.
    assert shop.change("ship", made[1]).status == shop.change("ship", made[0]).status == 200
    assert [ask().status, ask().status] == [201, 409]


# -- paying


def test_an_order_is_paid_once_and_then_shipped_once(shop: ShopTables) -> None:
    made = shop.order(("vest", 1), ("axe", 2)).document
    assert datetime.fromisoformat(made["payBy"]) - datetime.fromisoformat(made["createdAt"]) >= DAY

    paid, again = (shop.change("pay", made["orderId"]) for _ in range(2))
    assert paid.document == {**made, "status": "Paid"}
    assert again.body == paid.body
    assert shop.row(f"CUST-ORDER-{made['orderId']}", "Order")["paidBy"] == {"S": "olga"}
    listed = shop.request("GET /admin/orders", query={"status": "Paid"}).document["orders"]
    assert [each["orderId"] for each in listed] == [made["orderId"]]
    assert shop.request("GET /admin/orders").document["orders"] == []

    shipped = shop.change("ship", made["orderId"])
    assert shipped.document["status"] == "Shipped"
    assert shop.change("pay", made["orderId"]).body == shipped.body
    statuses = {
        row["status"]["S"]
        for kind in ("order", "orderLine", "customerOrder")
        for row in shop.of_type(kind)
    }
    assert statuses == {"Shipped"}
    assert [row["orders"] for row in shop.of_type("unpaid")] == [{"N": "0"}]


# -- expiring


def test_an_order_that_is_not_paid_in_time_returns_its_units_once(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [order(("vest", 3), ("axe", 5), customerId=CUSTOMER) for _ in range(3)]
    due, paid, shipped = (shop.request("POST /orders", each).document["orderId"] for each in bodies)
    shop.change("pay", paid)
    shop.change("ship", shipped)
    expire = shop.function("expire_orders")

    later(monkeypatch, DAY - timedelta(minutes=1))
    expire({})
    assert status_of(shop, due) == "Created"
    assert shop.stock("vest") == 991

    later(monkeypatch, timedelta(minutes=2))
    for _ in range(2):
        expire({})

    assert [status_of(shop, each) for each in (due, paid, shipped)] == [
        "Expired",
        "Paid",
        "Shipped",
    ]
    assert (shop.stock("vest"), shop.stock("axe")) == (994, 990)
    assert {
        row["status"]["S"] for row in shop.of_type("orderLine") if row["orderId"]["S"] == due
    } == {"Expired"}
    listed = shop.request("GET /customers/{id}/orders", id=CUSTOMER).document["orders"]
    assert {each["orderId"]: each["status"] for each in listed}[due] == "Expired"
    for what in ("pay", "ship"):
        assert shop.change(what, due).error == (409, "OrderExpired", None)
    # The same request still returns that order and makes no new one.
    again = shop.request("POST /orders", bodies[0])
    assert (again.status, again.document["status"]) == (200, "Expired")
    assert [row["orders"] for row in shop.of_type("unpaid")] == [{"N": "0"}]


def test_an_expired_order_is_subtracted_from_the_counts(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.order(("vest", 3), ("axe", 5))
    kept = shop.order(("vest", 1)).document["orderId"]
    shop.count()
    assert (shop.counts(), shop.totals()) == ({"vest": (4, 0), "axe": (5, 0)}, (2, 0, 20001))
    shop.change("pay", kept)

    later(monkeypatch, 2 * DAY)
    shop.function("expire_orders")({})
    shop.count()

    assert (shop.counts(), shop.totals()) == ({"vest": (1, 0)}, (1, 0, 4999))


def test_an_order_that_is_paid_while_it_expires_stays_paid(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shop.order(("vest", 3)).document["orderId"]
    expire, faults = shop.faulty("expire_orders")
    faults.arm("transact_write_items", 1, meanwhile(lambda: shop.change("pay", made)))
    later(monkeypatch, 2 * DAY)

    expire({})

    assert status_of(shop, made) == "Paid"
    assert shop.stock("vest") == 997


@pytest.mark.parametrize(
    "fault",
    [after(timed_out()), instead(timed_out()), instead(cancelled("TransactionConflict", "None"))],
    ids=["lost answer", "no answer", "conflict"],
)
def test_units_are_returned_once_when_the_transaction_fails_or_its_answer_is_lost(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    made = shop.order(("vest", 3)).document["orderId"]
    expire, faults = shop.faulty("expire_orders")
    faults.arm("transact_write_items", 1, fault)
    later(monkeypatch, 2 * DAY)

    expire({})

    assert (status_of(shop, made), shop.stock("vest")) == ("Expired", 1000)


def test_an_order_with_a_deleted_product_expires(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shop.order(("vest", 3), ("axe", 5)).document["orderId"]
    shop.delete(shop.row("vest", "vest"))
    later(monkeypatch, 2 * DAY)

    shop.function("expire_orders")({})

    assert status_of(shop, made) == "Expired"
    assert shop.row("vest", "vest") is None
    assert shop.stock("axe") == 1000


def test_an_unreadable_line_does_not_keep_the_units_of_the_others(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shop.order(("vest", 3), ("axe", 5)).document["orderId"]
    line = shop.row(f"CUST-ORDER-{made}", "vest")
    for broken in (line, {**line, "sk": {"S": "no-product"}}):
        shop.put({**broken, "qty": {"S": "some"}})
    later(monkeypatch, 2 * DAY)

    shop.function("expire_orders")({})

    assert shop.row(f"CUST-ORDER-{made}", "Order")["status"] == {"S": "Expired"}
    assert (shop.stock("vest"), shop.stock("axe")) == (997, 1000)


def test_an_unreadable_order_keeps_no_other_open_or_uncounted(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (shop.order(("vest", 1)).document["orderId"] for _ in range(2))
    header = shop.row(f"CUST-ORDER-{first}", "Order")
    shop.put({name: value for name, value in header.items() if name != "customerId"})
    later(monkeypatch, 2 * DAY)

    with pytest.raises(RuntimeError, match="1 unpaid orders could not be closed"):
        shop.function("expire_orders")({})

    assert status_of(shop, second) == "Expired"
    assert shop.stock("vest") == 999
    assert '"Expired":[1.0]' in capsys.readouterr().out


def test_a_run_ends_before_its_timeout_and_the_next_one_goes_on(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [shop.order(("vest", 1)).document["orderId"] for _ in range(3)]
    later(monkeypatch, 2 * DAY)
    expire: Function = shop.function("expire_orders")
    looks = iter([60_000, 30_000, 20_000])
    closed = expire.module.expiring.run(lambda: next(looks))

    assert closed == 1
    assert [status_of(shop, each) for each in made] == ["Expired", "Created", "Created"]
    expire({})
    assert {status_of(shop, each) for each in made} == {"Expired"}


def test_the_limit_of_unpaid_orders_holds_for_many_requests_at_once(shop: ShopTables) -> None:
    function, answers = shop.function("create_order"), []

    def ask() -> None:
        body = order(("vest", 1), customerId=CUSTOMER)
        answers.append(shop.until_answered(body, function).status)

    at_once([ask] * 40)

    assert Counter(201 if each in (200, 201) else each for each in answers) == {201: 20, 409: 20}
    assert shop.stock("vest") == 980
