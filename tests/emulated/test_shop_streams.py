"""The shop's stream functions over DynamoDB Local: exact counts, one open vendor order a part, lines for the lake."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pytest

from leda.shop.stream import delivery
from simulation.failures import client_error
from support.lambda_events import Record, event
from support.shop import Lambda, ShopTables, order

FIREHOSE, VENDOR = "fnWriteFirehose", "fnCreateVendorOrder"


def deliver(shop: ShopTables, function: str, records: Sequence[Record] | None = None) -> Any:
    """Deliver the stream, or these records of it, to a cold environment."""
    given = shop.records() if records is None else records
    return shop.function(function)(event(given, shop.shard("UnifiedTable")))


# -- counts


def test_orders_are_counted_by_product_and_in_total(shop: ShopTables) -> None:
    shop.sell("vest", price_cents=1000)
    shop.sell("axe", price_cents=1)
    made = [shop.order(("vest", 2), ("axe", 1)), shop.order(("vest", 3)), shop.order(("axe", 4))]

    shop.count()
    assert shop.counts() == {"vest": (5, 0), "axe": (5, 0)}
    assert shop.totals() == (3, 0, 5005)

    assert shop.change("ship", made[0].document["orderId"]).status == 200
    shop.count()
    assert shop.counts() == {"vest": (5, 2), "axe": (5, 1)}
    assert shop.totals() == (3, 1, 5005)

    for _ in range(2):
        shop.count()
    assert shop.counts() == {"vest": (5, 2), "axe": (5, 1)}
    inventory = shop.request("GET /admin/inventory").document["products"]
    assert [(each["ordered"], each["sold"]) for each in inventory] == [(5, 1), (5, 2)]
    shown = shop.request("GET /admin/metrics").document
    assert shown == {"orders": 3, "shipped": 1, "revenueCents": 5005}


# -- vendor orders


def test_a_part_with_low_stock_has_one_open_vendor_order_until_it_is_received(
    shop: ShopTables,
) -> None:
    shop.sell("vest", qty=10, reorder_below=8, reorder_qty=20)
    shop.order(("vest", 2))
    deliver(shop, "create_vendor_order")
    assert shop.of_type("vendorOrder") == []

    for quantity in (1, 2, 3):
        shop.order(("vest", quantity))
        deliver(shop, "create_vendor_order")
    (made,) = shop.of_type("vendorOrder")
    assert made["pk"] == {"S": "VEND-ORDER-vest-0"}
    assert (made["sk"], made["qty"], made["status"]) == ({"S": "vest"}, {"N": "20"}, {"S": "Open"})

    assert shop.change("receive", "vest-0").status == 200
    for _ in range(2):
        deliver(shop, "create_vendor_order")
    assert [row["status"]["S"] for row in shop.of_type("vendorOrder")] == ["Received"]
    assert shop.stock("vest") == 22

    shop.order(("vest", 15))
    deliver(shop, "create_vendor_order")
    statuses = {row["pk"]["S"]: row["status"]["S"] for row in shop.of_type("vendorOrder")}
    assert statuses == {"VEND-ORDER-vest-0": "Received", "VEND-ORDER-vest-1": "Open"}
    listed = shop.request("GET /admin/vendor-orders").document["vendorOrders"]
    assert [each["vendorOrderId"] for each in listed] == ["vest-1"]
    (vest,) = shop.request("GET /admin/inventory").document["products"]
    assert vest["openVendorOrder"] == listed[0]


def test_a_part_whose_stock_is_still_low_after_a_receipt_is_ordered_again(shop: ShopTables) -> None:
    shop.sell("vest", qty=1, reorder_below=50, reorder_qty=10)
    deliver(shop, "create_vendor_order")
    assert shop.change("receive", "vest-0").status == 200

    deliver(shop, "create_vendor_order")

    statuses = {row["pk"]["S"]: row["status"]["S"] for row in shop.of_type("vendorOrder")}
    assert statuses == {"VEND-ORDER-vest-0": "Received", "VEND-ORDER-vest-1": "Open"}


def test_an_unreadable_part_is_quarantined_and_the_others_are_ordered(shop: ShopTables) -> None:
    shop.sell("axe")
    (row,) = shop.of_type("part")
    del row["reorderBelow"]
    shop.put(row)
    shop.sell("vest", qty=0)

    deliver(shop, "create_vendor_order")

    assert [row["productId"]["S"] for row in shop.of_type("vendorOrder")] == ["vest"]
    assert shop.bucket.reasons == ["the row has no reorderBelow (a number)"]


# -- the lake


def test_each_change_becomes_a_flat_line_with_its_sequence_number(shop: ShopTables) -> None:
    shop.sell("vest", price_cents=1000)
    body = order(("vest", 2))
    made = shop.request("POST /orders", body).document
    assert shop.change("ship", made["orderId"]).status == 200

    assert deliver(shop, "write_firehose") is None

    lines = shop.firehose.lines
    assert [(line["item_type"], line["event"]) for line in lines[:1]] == [("part", "create")]
    (sold,) = [line for line in lines if line["item_type"] == "part" and line["event"] == "update"]
    assert (sold["product_id"], sold["qty"], sold["old_qty"]) == ("vest", 98, 100)
    assert shop.firehose.calls == [1]
    (line,) = [
        line for line in lines if (line["item_type"], line["event"]) == ("orderLine", "create")
    ]
    numbers = {line["sequence_number"] for line in lines}
    assert len(numbers) == len(lines) == 6
    assert {len(number) for number in numbers} == {40}
    assert line == {
        "sequence_number": line["sequence_number"],
        "event_id": line["event_id"],
        "event": "create",
        "changed_at": line["changed_at"],
        "item_type": "orderLine",
        "pk": f"CUST-ORDER-{line['order_ref']}",
        "sk": "vest",
        "order_ref": hashlib.sha256(made["orderId"].encode()).hexdigest()[:32],
        "product_id": "vest",
        "name": "Vest",
        "status": "Created",
        "shipping_option": "standard",
        "qty": 2,
        "price_cents": 1000,
        "created_at": made["createdAt"].replace("T", " ").removesuffix("Z"),
    }
    (shipped,) = [
        line for line in lines if (line["item_type"], line["event"]) == ("order", "update")
    ]
    assert (shipped["old_status"], shipped["status"]) == ("Created", "Shipped")
    assert shipped["shipped_at"] > shipped["created_at"]
    # No line holds an ID or a token with which the shop would answer.
    for secret in ("customer", made["orderId"], body["customerId"], body["clientToken"]):
        assert secret not in json.dumps(lines)
    assert shipped["order_ref"] == line["order_ref"]
    assert shop.request("GET /orders/{id}", id=line["order_ref"]).status == 404


def test_only_the_records_that_firehose_refuses_are_sent_again(
    shop: ShopTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_RECORD_BYTES", 1)
    for number in range(5):
        shop.sell(f"part-{number}")
    shop.firehose.refused = lambda call, place: call <= 2 and place % 2 == 1

    deliver(shop, "write_firehose")

    assert shop.firehose.calls == [5, 2, 1]
    assert sorted(line["pk"] for line in shop.firehose.lines) == [
        f"part-{number}" for number in range(5)
    ]


def test_records_that_firehose_keeps_refusing_fail_the_batch(shop: ShopTables) -> None:
    shop.sell("vest")
    shop.firehose.refused = lambda _call, _place: True

    with pytest.raises(RuntimeError, match="shop-lake refuses 1 record after 6 tries"):
        deliver(shop, "write_firehose")


def test_an_unreadable_record_is_quarantined_or_fails_the_batch(shop: ShopTables) -> None:
    shop.sell("axe")
    shop.sell("vest")
    records = shop.records()
    records[0]["eventName"] = "UPSERT"

    deliver(shop, "write_firehose", records)
    assert [line["pk"] for line in shop.firehose.lines] == ["vest"]
    assert len(shop.bucket.objects) == 1

    shop.bucket.error = client_error("SlowDown", 503)
    with pytest.raises(RuntimeError, match="1 record was not quarantined"):
        deliver(shop, "write_firehose", records)


# -- the fan-out


def connect_functions(shop: ShopTables) -> Lambda:
    """Let fnReadStream invoke the two other functions."""
    shop.lambda_.functions = {
        VENDOR: shop.function("create_vendor_order"),
        FIREHOSE: shop.function("write_firehose"),
    }
    return shop.lambda_


def test_each_function_gets_its_kinds_of_records_in_order_and_the_shard(shop: ShopTables) -> None:
    calls = connect_functions(shop)
    shop.sell("vest", qty=6)
    shop.order(("vest", 2))
    records, shard = shop.records(), shop.shard("UnifiedTable")

    assert deliver(shop, "read_stream") == {"state": {}}

    (vendor, first), (firehose, second) = calls.events
    assert (vendor, firehose) == (VENDOR, FIREHOSE)
    assert first["shardId"] == second["shardId"] == shard
    kinds = {"part", "order", "orderLine", "vendorOrder"}
    assert first["Records"] == of_kinds(records, {"part"})
    assert second["Records"] == of_kinds(records, kinds)
    assert [row["status"]["S"] for row in shop.of_type("vendorOrder")] == ["Open"]
    assert len(shop.firehose.lines) == 4

    # Without a tumbling window the event names no shard.
    shop.function("read_stream")(event(records))
    assert "shardId" not in calls.events[-1][1]


def of_kinds(records: Sequence[Any], kinds: set[str]) -> list[Any]:
    return [
        record
        for record in records
        if record["dynamodb"].get("NewImage", {}).get("itemType", {}).get("S") in kinds
    ]


@pytest.mark.parametrize("failing", [VENDOR, FIREHOSE])
def test_a_batch_fails_until_both_functions_have_succeeded(shop: ShopTables, failing: str) -> None:
    calls = connect_functions(shop)
    shop.sell("vest", qty=0)
    records = shop.records()
    functions = dict(calls.functions)

    def fails(_event: Any) -> None:
        raise RuntimeError("a customer's address")

    calls.functions = {**functions, failing: fails}
    with pytest.raises(RuntimeError, match=f"^{failing} has failed: see its log$"):
        deliver(shop, "read_stream", records)
    calls.functions = functions
    deliver(shop, "read_stream", records)

    assert len(shop.of_type("vendorOrder")) == len(shop.firehose.lines) == 1


def test_records_of_other_kinds_and_empty_windows_invoke_no_function(shop: ShopTables) -> None:
    calls = connect_functions(shop)
    shop.put({"pk": {"S": "a"}, "sk": {"S": "b"}})
    shop.sell("vest")
    shop.request("POST /orders", order(("vest", 1)))
    shop.count()
    others = [
        record
        for record in shop.records()
        if record not in of_kinds(shop.records(), {"part", "order", "orderLine", "vendorOrder"})
    ]
    assert len(others) == 4

    assert deliver(shop, "read_stream", others) == {"state": {}}
    assert shop.function("read_stream")({"Records": [], "state": {"a": 1}}) == {"state": {"a": 1}}
    assert calls.events == []
    deliver(shop, "write_firehose", others)
    deliver(shop, "create_vendor_order", others)
    assert shop.firehose.lines == shop.of_type("vendorOrder") == []
