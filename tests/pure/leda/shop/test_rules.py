"""The parts of the shop that need no AWS: requests, numbers, cursors, vendor orders, lake lines, sizes of calls."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.shop import attributes, paging, rows, times
from leda.shop.http.exchange import Request
from leda.shop.orders import listings, order_request, orders
from leda.shop.orders.order_request import Line, OrderRequest
from leda.shop.orders.orders import Order
from leda.shop.refusals import RefusedError
from leda.shop.stock import parts, restocking, vendor_orders
from leda.shop.stream import delivery, fan_out, lake_lines
from leda.streams import stream_records
from leda.streams.changes import UnreadableRowError
from leda.streams.item_changes import UnreadableChangeError
from leda.streams.stream_records import StreamRecord
from simulation.failures import client_error

CREATED = "2026-11-21T15:10:00.123Z"


def asked(**changed: Any) -> dict[str, Any]:
    lines = [{"productId": "vest", "qty": 2}]
    base = {"clientToken": "t" * 16, "customerId": "c" * 16, "shippingOption": "drone"}
    return {**base, "lines": lines, **changed}


# -- requests


def test_a_fingerprint_depends_on_the_request_and_not_on_its_json() -> None:
    one = order_request.read(asked(lines=[{"qty": Decimal("2.0"), "productId": "vest"}]))
    assert one.fingerprint == order_request.read(asked()).fingerprint
    for other in (
        {"lines": [{"productId": "vest", "qty": 3}]},
        {"lines": [{"productId": "vests", "qty": 2}]},
        {"customerId": "d" * 16},
        {"shippingOption": "standard"},
    ):
        assert order_request.read(asked(**other)).fingerprint != one.fingerprint


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "body"),
        (None, "body"),
        ({}, "clientToken"),
        (asked(clientToken="short"), "clientToken"),
        (asked(clientToken="t" * 16 + "\n"), "clientToken"),
        (asked(customerId="ü" * 16), "customerId"),
        (asked(clientToken="t" * 65), "clientToken"),
        (asked(clientToken="with spaces in between"), "clientToken"),
        (asked(customerId=12345678901234567), "customerId"),
        (asked(shippingOption={}), "shippingOption"),
        (asked(shippingOption="teleport"), "shippingOption"),
        (asked(lines=[]), "lines"),
        (asked(lines="vest"), "lines"),
        (asked(lines={}), "lines"),
        *(
            (asked(lines=[{"productId": "vest", "qty": qty}]), "lines[0].qty")
            for qty in (0, -1, "1")
        ),
        (asked(lines=[{"qty": 1}]), "lines[0].productId"),
        (asked(lines=[{"productId": "Vest!", "qty": 1}]), "lines[0].productId"),
        (asked(lines=[{"productId": "vest"}]), "lines[0].qty"),
        (asked(lines=["vest"]), "lines[0]"),
        (asked(lines=[{"productId": "vest", "qty": 1, "priceCents": 1}]), "lines[0]"),
        (asked(lines=[{"productId": "vest", "qty": Decimal("1.5")}]), "lines[0].qty"),
        (asked(lines=[{"productId": "vest", "qty": Decimal("1E+999999")}]), "lines[0].qty"),
        (asked(lines=[{"productId": "vest", "qty": True}]), "lines[0].qty"),
        (asked(lines=[{"productId": "a--b", "qty": 1}]), "lines[0].productId"),
        (asked(lines=[{"productId": "a" * 65, "qty": 1}]), "lines[0].productId"),
        (asked(lines=[{"productId": "a", "qty": 1}] * 2), "lines[1].productId"),
        (asked(price=1), "body"),
    ],
)
def test_an_invalid_request_is_refused_and_its_first_wrong_field_named(
    document: Any, field: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        order_request.read(document)

    assert (refused.value.status, refused.value.field) == (400, field)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b"\xff", b"[" * 100_000, b"9" * 5000, b'{"a": Infinity}']
)
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        Request(path={}, query={}, body=body, claims={}).json()

    assert refused.value.field == "body"


# -- orders


def a_part(product: str, price: int) -> parts.Part:
    return parts.read(parts.item(product, product, "-", price, 10**6, 0, 1))


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, 10**15 - 1)), min_size=1, max_size=48)
)
def test_an_orders_total_is_the_exact_sum_of_its_lines(lines: list[tuple[int, int]]) -> None:
    products = [f"p{number}" for number in range(len(lines))]
    request = OrderRequest(
        "t" * 16,
        "c" * 16,
        "drone",
        tuple(
            Line(product, quantity) for product, (quantity, _) in zip(products, lines, strict=True)
        ),
    )
    taken = [a_part(product, price) for product, (_, price) in zip(products, lines, strict=True)]
    made = Order("0" * 32, CREATED, CREATED, request, taken).rows()

    shown = orders.document(made)
    assert shown is not None
    assert shown["totalCents"] == sum(quantity * price for quantity, price in lines)
    assert shown["totalCents"] == sum(line["qty"] * line["priceCents"] for line in shown["lines"])
    assert len({(row["pk"]["S"], row["sk"]["S"]) for row in made}) == len(made) == len(lines) + 3
    assert len(made) + len(lines) <= 100


def test_an_order_without_its_header_is_none() -> None:
    assert orders.document([]) is None


@pytest.mark.parametrize("text", ["", "1.5", "-1", "1E+15", "NaN", "one", "1E+400"])
def test_an_attribute_that_is_not_a_whole_number_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableRowError, match=r"^qty "):
        attributes.whole_number({"qty": {"N": text}}, "qty")


def test_a_whole_number_is_read_in_any_notation() -> None:
    assert attributes.whole_number({"qty": {"N": "1E+3"}}, "qty") == 1000
    assert attributes.whole_number({"qty": {"N": "2.00"}}, "qty") == 2


# -- lists


@pytest.mark.parametrize(
    ("listing", "place"),
    [
        (listings.parts(), "camo-vest"),
        (listings.parts(), "Camo Vest É"),
        (listings.orders_of("c" * 16), f"{CREATED}#{'0' * 32}"),
        (listings.orders_by_status("Created"), f"{CREATED}#{'0' * 32}"),
        (listings.vendor_orders_by_status("Open"), f"{CREATED}#camo-vest-12"),
    ],
)
def test_a_cursor_gives_the_key_to_continue_at(listing: paging.Listing, place: str) -> None:
    assert paging._place(paging._cursor(place), listing.place) == place
    key = listing.key_at(place)
    assert key[listing.sort] == {"S": place}
    assert key[listing.partition[0]] == {"S": listing.partition[1]}
    assert key.keys() == {"pk", "sk", listing.partition[0], listing.sort}


@given(st.text(max_size=300))
def test_an_invalid_cursor_is_refused(cursor: str) -> None:
    for listing in (listings.orders_of("c" * 16), listings.vendor_orders_by_status("Open")):
        with pytest.raises(RefusedError) as refused:
            paging._place(cursor, listing.place)
        assert refused.value.field == "cursor"


@pytest.mark.parametrize("place", ["", "x" * 1025, "é" * 513])
def test_a_cursor_that_is_no_key_of_a_part_is_refused(place: str) -> None:
    with pytest.raises(RefusedError):
        paging._place(paging._cursor(place), listings.parts().place)


WORD = st.text("abyz019", min_size=1, max_size=9)


@given(st.lists(WORD, min_size=1, max_size=6), st.integers(0, 10**15 - 1))
def test_a_vendor_orders_id_contains_its_product_and_number(words: list[str], number: int) -> None:
    which = vendor_orders.VendorOrderName("-".join(words), number)
    assert vendor_orders.named(which.identifier) == which


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_times_and_their_texts_sort_alike(one: datetime, other: datetime) -> None:
    first, second = sorted([one, other])
    assert times.text(first) <= times.text(second)
    assert datetime.fromisoformat(times.sql(times.text(one))) == one.replace(
        tzinfo=None, microsecond=one.microsecond // 1000 * 1000
    )


# -- the stream


def record(sequence: int, new: Any = None, old: Any = None, **more: Any) -> dict[str, Any]:
    kind = "MODIFY" if new and old else "INSERT" if new else "REMOVE"
    image = new or old
    change: dict[str, Any] = {
        "Keys": {"pk": image["pk"], "sk": image["sk"]},
        "SequenceNumber": str(sequence),
        "ApproximateCreationDateTime": 1_795_273_800,
    }
    change |= {"NewImage": new} if new else {}
    change |= {"OldImage": old} if old else {}
    return {
        "eventID": f"e{sequence}",
        "eventName": kind,
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/UnifiedTable/stream/1",
        "dynamodb": change,
        **more,
    }


def stream(*records: dict[str, Any]) -> Sequence[StreamRecord]:
    return stream_records.read(records).records


def order_line(product: str, quantity: int, status: str) -> dict[str, Any]:
    attributes: dict[str, str | int] = {"productId": product, "qty": quantity, "status": status}
    return rows.item(rows.key("CUST-ORDER-1", product), rows.LINE, attributes)


def client_that_reads(*there: dict[str, Any]) -> Any:
    """A DynamoDB client whose table has these rows."""

    def batch_get_item(RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, asked),) = RequestItems.items()
        found = [row for row in there if {"pk": row["pk"], "sk": row["sk"]} in asked["Keys"]]
        return {"Responses": {table: found}}

    return SimpleNamespace(batch_get_item=batch_get_item)


@pytest.mark.parametrize("product", ["Vest", "camo vest", "é", "vest-", "x" * 65])
def test_a_part_whose_product_nobody_can_order_is_unreadable(product: str) -> None:
    with pytest.raises(UnreadableRowError, match=r"^pk is not a product's ID"):
        parts.read(parts.item(product, "Vest", "-", 1, 0, 5, 50))


def made(*raw: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The attributes of the vendor order that is made for the part of the records, whose row is `now`."""
    calls: list[Any] = []
    client = client_that_reads(now)
    client.transact_write_items = lambda TransactItems: calls.append(TransactItems)
    assert restocking.Restocking(client, "T").make(stream(*raw)) == []
    (actions,) = calls
    (action,) = actions
    values: dict[str, Any] = action["Update"]["ExpressionAttributeValues"]
    return values


def test_a_low_part_gets_one_vendor_order_from_its_first_record() -> None:
    low = [parts.item("vest", "Vest", "-", 1, qty, 5, 50) for qty in (4, 3, 2)]
    values = made(*(record(10**21 + n, row) for n, row in enumerate(low)), now=low[-1])
    assert values[":vendorOrderId"] == {"S": "vest-0"}
    assert values[":createdAt"] == {"S": "2026-11-21T15:10:00.000Z"}


def test_a_vendor_order_for_a_change_without_a_time_gets_the_current_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leda.shop.times.time.time", lambda: 1_795_273_800)
    part = parts.item("vest", "Vest", "-", 1, 0, 5, 50)
    raw = record(10**21, part)
    del raw["dynamodb"]["ApproximateCreationDateTime"]
    assert made(raw, now=part)[":createdAt"] == {"S": "2026-11-21T15:10:00.000Z"}


def test_only_the_vendor_order_that_dynamodb_refuses_is_rejected() -> None:
    low = [parts.item(name, "Vest", "-", 1, 0, 5, 50) for name in ("axe", "bad", "hat", "vest")]
    made: list[str] = []

    def transact_write_items(TransactItems: list[Any]) -> None:
        names = [
            each["Update"]["ExpressionAttributeValues"][":productId"]["S"] for each in TransactItems
        ]
        if "bad" in names:
            raise client_error("ValidationException")
        made.extend(names)

    client = client_that_reads(*low)
    client.transact_write_items = transact_write_items
    (rejected,) = restocking.Restocking(client, "T").make(
        stream(*(record(10**21 + n, row) for n, row in enumerate(low)))
    )
    assert rejected.record.sequence == 10**21 + 1
    assert rejected.reason.startswith("DynamoDB refuses the vendor order")
    assert sorted(made) == ["axe", "hat", "vest"]


# -- the lake


def test_a_deletion_has_the_old_values() -> None:
    old = {**order_line("vest", 2, "Created"), "orderId": {"S": "1"}}
    line = json.loads(lake_lines.line(record(10**21, None, old)))
    assert line["event"] == "delete"
    assert (line["order_ref"], line["product_id"]) == (lake_lines.order_ref("1"), "vest")
    assert line["pk"] == f"CUST-ORDER-{line['order_ref']}"
    assert (line["old_status"], line["old_qty"]) == ("Created", 2)
    assert "qty" not in line


def test_values_of_a_wrong_type_are_left_out_and_the_line_has_no_line_breaks() -> None:
    row = {**order_line("vest", 2, "Created"), "qty": {"N": "1.5"}, "name": {"S": 'a\n"b"\u2028'}}
    row["priceCents"] = {"S": "a lot"}
    text = lake_lines.line(record(10**21, row))
    line = json.loads(text)
    assert "qty" not in line
    assert "price_cents" not in line
    assert line["name"] == 'a\n"b"\u2028'
    assert text.count(b"\n") == 1
    assert text.endswith(b"\n")


def test_a_line_too_long_for_firehose_is_refused() -> None:
    row = {**order_line("vest", 2, "Created"), "name": {"S": "\0" * 200_000}}
    with pytest.raises(UnreadableChangeError, match="bytes"):
        lake_lines.line(record(10**21, row))


@pytest.mark.parametrize(
    "raw",
    [
        {},
        None,
        {"dynamodb": None},
        {"dynamodb": {}},
        {"dynamodb": {"NewImage": "x"}},
        {"dynamodb": {"NewImage": {"itemType": {"N": "1"}}}},
        {"dynamodb": {"NewImage": {"itemType": "part"}}},
    ],
)
def test_a_record_without_a_readable_row_has_no_kind(raw: Any) -> None:
    assert lake_lines.kind_of(raw) is None
    shows_a_row = isinstance(raw, dict) and isinstance(
        (raw.get("dynamodb") or {}).get("NewImage"), dict
    )
    assert lake_lines.is_wanted(raw) is not shows_a_row


def test_a_line_with_a_lone_surrogate_is_refused() -> None:
    row = {**order_line("vest", 2, "Created"), "name": {"S": "\ud800"}}
    with pytest.raises(UnreadableChangeError, match="lone surrogate"):
        lake_lines.line(record(10**21, row))


@given(st.lists(st.integers(1, 30), max_size=60))
def test_calls_to_firehose_have_every_line_in_order_within_the_limits(sizes: list[int]) -> None:
    lines = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    calls: list[list[bytes]] = []

    class Firehose:
        def put_record_batch(
            self, *, DeliveryStreamName: str, Records: Sequence[dict[str, bytes]]
        ) -> dict[str, Any]:
            calls.append([record["Data"] for record in Records])
            return {"FailedPutCount": 0}

    with pytest.MonkeyPatch.context() as patch:
        for name, most in (("RECORD_BYTES", 40), ("RECORDS", 3), ("BATCH_BYTES", 100)):
            patch.setattr(delivery, f"MAX_{name}", most)
        delivery.Delivery(Firehose(), "lake").send(lines)
    assert b"".join(record for call in calls for record in call) == b"".join(lines)
    assert all(len(call) <= 3 and sum(map(len, call)) <= 100 for call in calls)
    assert all(len(record) <= 40 for call in calls for record in call)


@given(st.lists(st.text(max_size=40), max_size=20), st.sampled_from([None, 'shard "1"']))
def test_invocations_of_a_function_have_every_record_in_order_within_the_limit(
    texts: list[str], shard: str | None
) -> None:
    records = [{"text": text} for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fan_out, "MAX_PAYLOAD_BYTES", 200)
        cut = list(fan_out.payloads(records, shard))
    events = [json.loads(payload) for payload in cut]
    assert [record for event in events for record in event["Records"]] == records
    assert all(event.get("shardId") == shard for event in events)
    assert all(
        len(payload) <= 200 + 60 or len(event["Records"]) == 1
        for payload, event in zip(cut, events, strict=True)
    )
