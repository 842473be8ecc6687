"""The shop's rows may be deleted and written again: products, orders, and the rows that belong to them."""

from datetime import timedelta

import pytest

from leda.shop import times
from leda.shop.stock import restocking
from support.lambda_events import event
from support.shop import ShopTables, order


def process_stream(shop: ShopTables) -> None:
    """Deliver the whole stream to the functions that follow it."""
    shop.function("create_vendor_order")(event(shop.records(), shop.shard("UnifiedTable")))
    shop.count()


def vendor_orders(shop: ShopTables) -> dict[str, str]:
    return {
        row["vendorOrderId"]["S"]: row["status"]["S"]
        for row in sorted(shop.of_type("vendorOrder"), key=str)
    }


def open_vendor_order(shop: ShopTables, product: str) -> str | None:
    """The ID of the product's open vendor order, as the operators' inventory shows it."""
    for each in shop.request("GET /admin/inventory").document["products"]:
        if each["productId"] == product:
            order = each["openVendorOrder"]
            return order and str(order["vendorOrderId"])
    raise AssertionError(product)


# -- parts and vendor orders


@pytest.mark.parametrize("pages", [1, 2, 25])
def test_a_product_that_is_deleted_and_added_again_is_reordered(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    monkeypatch.setattr(restocking, "NUMBERS_OF_A_READ", pages)
    shop.sell("vest", qty=1, reorder_below=5, reorder_qty=2)
    for number in range(3):
        process_stream(shop)
        assert shop.change("receive", f"vest-{number}").status == 200
        shop.order(("vest", 2))
    process_stream(shop)
    assert shop.change("receive", "vest-3").status == 200
    shop.delete(shop.row("vest", "vest"))
    process_stream(shop)

    shop.sell("vest", qty=9, reorder_below=5, reorder_qty=2)
    process_stream(shop)
    assert open_vendor_order(shop, "vest") is None
    shop.order(("vest", 6))
    process_stream(shop)

    assert open_vendor_order(shop, "vest") == "vest-4"
    assert vendor_orders(shop) == {
        **{f"vest-{number}": "Received" for number in range(4)},
        "vest-4": "Open",
    }
    assert shop.change("receive", "vest-4").status == 200
    assert shop.stock("vest") == 5
    process_stream(shop)
    assert open_vendor_order(shop, "vest") is None


def test_a_product_that_is_added_again_with_low_stock_is_reordered_at_once(
    shop: ShopTables,
) -> None:
    for number in range(3):
        shop.sell("vest", qty=0)
        process_stream(shop)
        assert open_vendor_order(shop, "vest") == f"vest-{number}"
        assert shop.change("receive", f"vest-{number}").status == 200
        shop.delete(shop.row("vest", "vest"))
        process_stream(shop)
    assert list(vendor_orders(shop).values()) == ["Received"] * 3


def test_the_open_vendor_order_of_a_deleted_product_can_be_cancelled(shop: ShopTables) -> None:
    shop.sell("vest", qty=0)
    process_stream(shop)
    shop.delete(shop.row("vest", "vest"))
    process_stream(shop)
    assert shop.change("receive", "vest-0").error == (409, "PartGone", None)

    cancelled, again = shop.change("cancel", "vest-0"), shop.change("cancel", "vest-0")

    assert (cancelled.status, cancelled.document["status"]) == (200, "Cancelled")
    assert cancelled.document["cancelledBy"] == "olga"
    assert again.body == cancelled.body
    assert shop.change("receive", "vest-0").error == (409, "VendorOrderClosed", None)
    assert shop.row("vest", "vest") is None
    listed = shop.request("GET /admin/vendor-orders", query={"status": "Cancelled"}).document
    assert listed["vendorOrders"] == [cancelled.document]
    # The product that is added again has another vendor order.
    shop.sell("vest", qty=0)
    process_stream(shop)
    assert open_vendor_order(shop, "vest") == "vest-1"


def test_an_open_vendor_order_belongs_to_the_product_that_is_added_again(shop: ShopTables) -> None:
    shop.sell("vest", qty=0, reorder_qty=7)
    for number in range(2):
        process_stream(shop)
        shop.change("receive", f"vest-{number}")
        shop.order(("vest", 7))
    process_stream(shop)
    shop.delete(shop.row("vest", "vest"))
    shop.sell("vest", qty=50, reorder_qty=7)
    process_stream(shop)

    assert open_vendor_order(shop, "vest") == "vest-2"
    assert shop.change("receive", "vest-2").status == 200
    assert shop.stock("vest") == 57
    assert shop.row("vest", "vest")["restocks"] == {"N": "3"}


def test_a_cancelled_vendor_order_of_a_product_with_low_stock_is_followed_by_another(
    shop: ShopTables,
) -> None:
    shop.sell("vest", qty=0)
    process_stream(shop)
    assert shop.change("cancel", "vest-0").status == 200
    assert open_vendor_order(shop, "vest") is None
    process_stream(shop)
    assert vendor_orders(shop) == {"vest-0": "Cancelled", "vest-1": "Open"}
    assert shop.change("receive", "vest-1").status == 200
    assert shop.change("cancel", "vest-1").error == (409, "VendorOrderClosed", None)


def test_a_vendor_order_whose_row_was_deleted_is_made_again(shop: ShopTables) -> None:
    shop.sell("vest", qty=3)
    process_stream(shop)
    shop.delete(shop.row("VEND-ORDER-vest-0", "vest"))
    assert open_vendor_order(shop, "vest") is None
    shop.order(("vest", 1))
    process_stream(shop)
    assert open_vendor_order(shop, "vest") == "vest-0"


def test_a_product_that_is_deleted_before_its_record_is_processed_is_not_reordered(
    shop: ShopTables,
) -> None:
    shop.sell("vest", qty=0)
    shop.delete(shop.row("vest", "vest"))
    process_stream(shop)
    assert vendor_orders(shop) == {}


@pytest.mark.parametrize("what", ["receive", "cancel"])
def test_a_vendor_order_cannot_be_closed_while_its_products_row_is_unreadable(
    shop: ShopTables, what: str
) -> None:
    shop.sell("vest", qty=0)
    process_stream(shop)
    good = shop.row("vest", "vest")
    shop.put({name: value for name, value in good.items() if name != "restocks"})
    assert shop.change(what, "vest-0").error == (409, "PartUnreadable", None)
    shop.put(good)
    assert shop.change(what, "vest-0").status == 200


# -- counts


# -- orders, lines, the customer's rows, tokens


def test_an_order_counts_only_while_its_rows_are_there(shop: ShopTables) -> None:
    shop.sell("vest", price_cents=10)
    body = order(("vest", 2))
    identifier = shop.request("POST /orders", body).document["orderId"]
    kept = [*shop.of_type("order"), *shop.of_type("orderLine")]
    process_stream(shop)
    for row in kept:
        shop.delete(row)
    process_stream(shop)
    assert (shop.counts(), shop.totals()) == ({}, (0, 0, 0))
    assert shop.request("GET /orders/{id}", id=identifier).status == 404
    for row in kept:
        shop.put(row)
    process_stream(shop)
    assert (shop.counts(), shop.totals()) == ({"vest": (2, 0)}, (1, 0, 20))
    assert shop.request("POST /orders", body).document["orderId"] == identifier


def listed(shop: ShopTables, customer: str) -> list[tuple[str, str]]:
    """ID and status of each order in a customer's list."""
    found = shop.request("GET /customers/{id}/orders", id=customer).document["orders"]
    return [(each["orderId"], each["status"]) for each in found]


def test_a_deleted_row_of_the_customers_list_comes_back_with_the_orders_next_change(
    shop: ShopTables,
) -> None:
    shop.sell("vest", price_cents=10)
    body = order(("vest", 2))
    made = shop.request("POST /orders", body).document["orderId"]
    for what, status in (("pay", "Paid"), ("ship", "Shipped")):
        (row,) = shop.of_type("customerOrder")
        shop.delete(row)
        assert listed(shop, body["customerId"]) == []
        # The order itself is still there.
        assert shop.request("GET /orders/{id}", id=made).status == 200

        moved = shop.request(f"POST /admin/orders/{{id}}/{what}", id=made)

        assert (moved.status, moved.document["status"]) == (200, status)
        assert shop.of_type("customerOrder") == [row | {"status": {"S": status}}]
        assert listed(shop, body["customerId"]) == [(made, status)]


def test_an_unpaid_order_expires_without_its_row_in_the_customers_list(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sell("vest", qty=5)
    body = order(("vest", 2))
    made = shop.request("POST /orders", body).document["orderId"]
    (row,) = shop.of_type("customerOrder")
    shop.delete(row)
    now = times.after
    monkeypatch.setattr(times, "after", lambda delay: now(delay + timedelta(days=1)))

    shop.function("expire_orders")({})

    assert shop.stock("vest") == 5
    assert listed(shop, body["customerId"]) == [(made, "Expired")]


def test_a_retried_request_for_a_deleted_order_answers_410_and_makes_no_second_order(
    shop: ShopTables,
) -> None:
    shop.sell("vest")
    body = order(("vest", 2))
    shop.request("POST /orders", body)
    for row in [*shop.of_type("order"), *shop.of_type("orderLine")]:
        shop.delete(row)
    assert shop.request("POST /orders", body).error == (410, "OrderGone", "clientToken")
    assert shop.stock("vest") == 98


def test_a_deleted_count_of_unpaid_orders_begins_again_at_zero(shop: ShopTables) -> None:
    shop.sell("vest")
    body = order(("vest", 1))
    made = shop.request("POST /orders", body).document["orderId"]
    shop.delete(shop.of_type("unpaid")[0])
    assert shop.request("POST /admin/orders/{id}/pay", id=made).status == 200
    other = {**order(("vest", 1)), "customerId": body["customerId"]}
    assert shop.request("POST /orders", other).status == 201
