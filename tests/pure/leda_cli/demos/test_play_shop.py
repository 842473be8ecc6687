"""The demo of the shop: its ledger, its requests, and an error for a wrong figure or answer."""

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rich.console import Console

from leda_cli.base.errors import LedaError
from leda_cli.demos import play_shop
from leda_cli.demos.shop_client import Answer, ShopClient, new_request
from leda_cli.demos.shop_ledger import Ledger, best_sellers, counted, figures, of_product
from leda_cli.operate.totals.screen import plain_table, print_table

INVENTORY = [
    {"productId": "axe", "name": "Axe", "priceCents": 12450, "qty": 20, "ordered": 5, "sold": 2}
    | {"reorderBelow": 10, "reorderQty": 30, "openVendorOrder": None},
    {"productId": "rope", "name": "Rope", "priceCents": 5, "qty": 9, "ordered": 0, "sold": 0}
    | {"reorderBelow": 10, "reorderQty": 30, "openVendorOrder": None},
    {"productId": "vest", "name": "Vest", "priceCents": 8999, "qty": 90, "ordered": 0, "sold": 0}
    | {"reorderBelow": 10, "reorderQty": 30, "openVendorOrder": None},
]
METRICS = {"orders": 4, "shipped": 1, "revenueCents": 62250}
OPEN = [{"vendorOrderId": "rope-0", "productId": "rope", "qty": 30}]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(INVENTORY, figures(INVENTORY, OPEN, METRICS))


# -- the ledger


def test_without_orders_the_expected_figures_are_those_at_the_start(ledger: Ledger) -> None:
    expected = ledger.expected()
    assert {name: value for name, value in expected.items() if value} == {
        name: value for name, value in figures(INVENTORY, OPEN, METRICS).items() if value
    }


def test_the_ledger_follows_orders_shipments_and_deliveries(ledger: Ledger) -> None:
    ledger.ordered("1", {"axe": 11, "vest": 1})
    ledger.ordered("2", {"vest": 2})
    ledger.shipped("1")
    ledger.shipped("1")
    ledger.received("rope", 30)

    expected = ledger.expected()
    assert {name: int(value) for name, value in expected.items()} == {
        "orders": 6,
        "orders shipped": 2,
        "revenue in cents": 62250 + 11 * 12450 + 3 * 8999,
        "axe: in stock": 9,
        "axe: ordered": 16,
        "axe: sold": 13,
        "axe: vendor orders open": 1,
        "rope: in stock": 39,
        "rope: ordered": 0,
        "rope: sold": 0,
        "rope: vendor orders open": 0,
        "vest: in stock": 87,
        "vest: ordered": 3,
        "vest: sold": 1,
        "vest: vendor orders open": 0,
    }


def test_each_open_vendor_order_of_a_product_is_counted() -> None:
    found = figures(INVENTORY, [*OPEN, *OPEN], METRICS)
    assert found[of_product("rope", "vendor orders open")] == Decimal(2)


def test_only_orders_and_order_lines_of_the_table_are_counted() -> None:
    line = {"itemType": {"S": "orderLine"}, "productId": {"S": "axe"}}
    rows: list[dict[str, Any]] = [
        {"itemType": {"S": "part"}, "qty": {"N": "99"}},
        {"itemType": {"S": "order"}, "status": {"S": "Shipped"}, "totalCents": {"N": "7"}},
        {"itemType": {"S": "order"}, "status": {"S": "Created"}, "totalCents": {"N": "5"}},
        {**line, "qty": {"N": "3"}, "status": {"S": "Shipped"}},
        {**line, "qty": {"N": "4"}, "status": {"S": "Created"}},
        {"itemType": {"S": "customerOrder"}, "totalCents": {"N": "7"}},
        {"itemType": {"S": "counts"}, "ordered": {"N": "1"}},
    ]
    assert {name: int(value) for name, value in counted(rows).items()} == {
        "orders": 2,
        "orders shipped": 1,
        "revenue in cents": 12,
        "axe: ordered": 7,
        "axe: sold": 3,
    }


def test_best_sellers_are_ordered_by_units_then_by_name() -> None:
    lines = [("rope", 2, 5), ("axe", 1, 700), ("vest", 3, 10), ("axe", 1, 800)]
    rows: list[dict[str, Any]] = [
        {"itemType": {"S": "orderLine"}, "productId": {"S": product}}
        | {"qty": {"N": str(qty)}, "priceCents": {"N": str(price)}}
        for product, qty, price in lines
    ]
    found = best_sellers([*rows, {"itemType": {"S": "part"}}])
    assert found == [("vest", 3, 30), ("axe", 2, 1500), ("rope", 2, 10)]


# -- the requests


class Http:
    """Answers requests with `answers` in turn; `asked` has the requests."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []
        self._answers: Iterator[tuple[int, Any]] = iter(answers)

    def request(self, method: str, url: str, *, body: Any, headers: dict[str, str]) -> Any:
        self.asked.append((method, url, body, headers))
        status, content = next(self._answers)

        class Response:
            data = json.dumps(content).encode() if content is not None else b"<html>"

        Response.status = status  # type: ignore[attr-defined]
        Response.headers = {"Content-Type": "application/json"}  # type: ignore[attr-defined]
        return Response()


def client(http: Http, token: str | None = None) -> ShopClient:
    given: Any = http
    return ShopClient("http://shop", token, given)


def test_an_order_is_repeated_unchanged_while_the_shop_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leda_cli.demos.shop_client.time.sleep", lambda _seconds: None)
    http = Http((503, {}), (429, {}), (201, {"orderId": "1"}))
    answer = client(http).order(new_request({"axe": 1}))

    assert (answer.status, answer.body) == (201, {"orderId": "1"})
    assert len(http.asked) == 3
    assert len({asked[2] for asked in http.asked}) == 1


def test_all_pages_of_a_list_are_read() -> None:
    http = Http(
        (200, {"products": [{"productId": "a"}], "nextCursor": "x/=&"}),
        (200, {"products": [{"productId": "b"}], "nextCursor": None}),
    )
    listed = client(http, "token").each("products", "admin", "inventory", limit=1)

    assert [each["productId"] for each in listed] == ["a", "b"]
    queries = [parse_qs(urlsplit(url).query) for _, url, _, _ in http.asked]
    assert queries == [{"limit": ["1"]}, {"limit": ["1"], "cursor": ["x/=&"]}]
    assert all(headers["authorization"] == "Bearer token" for *_, headers in http.asked)


def test_a_refused_list_is_an_error_with_the_answer() -> None:
    with pytest.raises(LedaError, match="GET /admin/orders answers 401"):
        list(client(Http((401, {"message": "Unauthorized"}))).each("orders", "admin", "orders"))


def test_an_answer_that_is_not_json_has_no_body() -> None:
    answer = client(Http((502, None))).get("products")
    assert (answer.status, answer.body, answer.error) == (502, None, {})


# -- the play


class Counter:
    """Stands in for `Shop`, and answers orders with `answers` in turn."""

    def __init__(self, answers: list[Answer], left: int = 0) -> None:
        self.customers = self
        self._answers = iter(answers)
        self._left = left

    def order(self, _request: dict[str, Any]) -> Answer:
        return next(self._answers)

    def get(self, *_parts: str) -> Answer:
        return Answer(200, {"qty": self._left}, {})


def taken(count: int) -> list[Answer]:
    return [Answer(201, {"orderId": f"order-{number}"}, {}) for number in range(count)]


GONE = Answer(409, {"error": {"code": "OutOfStock", "message": "gone"}}, {})
BUSY = Answer(503, {"error": {"code": "Busy", "message": "later"}}, {})
LEVEL = [Answer(201, {"orderId": "that leaves ten"}, {})]


def test_a_rush_with_ten_accepted_and_ninety_refused_orders_is_correct(
    ledger: Ledger, screen: io.StringIO
) -> None:
    shop: Any = Counter(LEVEL + taken(10) + [GONE] * 90)
    play_shop._rush(shop, ledger)

    assert "10 orders taken, 90 refused with 409 OutOfStock, 0 left" in screen.getvalue()
    assert ledger.stock("vest") == 0


@pytest.mark.parametrize(
    ("answers", "left"),
    [
        (taken(11) + [GONE] * 89, 0),
        (taken(9) + [GONE] * 91, 1),
        (taken(10) + [GONE] * 90, 1),
        (taken(10) + [GONE] * 89 + [BUSY], 0),
    ],
)
def test_a_rush_with_another_result_is_an_error(
    ledger: Ledger, screen: io.StringIO, answers: list[Answer], left: int
) -> None:
    shop: Any = Counter(LEVEL + answers, left)
    with pytest.raises(LedaError, match="Exactly 10"):
        play_shop._rush(shop, ledger)


def test_the_attempts_are_a_valid_order_its_retry_and_five_invalid_ones(ledger: Ledger) -> None:
    attempts = play_shop.attempts(ledger)
    assert [attempt.status for attempt in attempts] == [201, 200, 422, 400, 400, 422, 400]
    assert attempts[0].request == attempts[1].request
    assert attempts[2].request["clientToken"] == attempts[0].request["clientToken"]
    assert len({attempt.request["clientToken"] for attempt in attempts}) == 5


@pytest.mark.parametrize("answer", [GONE, BUSY, Answer(500, None, {})])
def test_an_order_with_an_unexpected_answer_is_an_error(
    ledger: Ledger, screen: io.StringIO, answer: Answer
) -> None:
    shop: Any = Counter([answer])
    with pytest.raises(LedaError):
        play_shop._place(shop, ledger, {"axe": 1})


def test_a_figure_that_stays_wrong_is_an_error_and_is_shown(
    ledger: Ledger, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = figures(INVENTORY, OPEN, METRICS)
    monkeypatch.setattr(play_shop, "read_figures", lambda _shop: found)
    monkeypatch.setattr(play_shop, "LOOK_SECONDS", 0.01)
    shop: Any = None
    play_shop.settle(shop, ledger)

    ledger.ordered("1", {"vest": 1})
    with pytest.raises(LedaError, match="4 of"):
        play_shop.settle(shop, ledger, patience=0)
    assert "vest: in stock" in screen.getvalue()


def test_a_narrow_window_does_not_wrap_tables() -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=80, highlight=False)
    table = plain_table("order", "answer", "what it says")
    words = (
        "a sentence that is longer than all of the window is, which has eighty columns and no more"
    )
    table.add_row("its token, another order", "422 ClientTokenReused", words)
    print_table(console, table)

    assert words in shown.getvalue()
    assert console.width == 80


class AppliedShop:
    """The applied shop, as far as the farewell names it."""

    aws = SimpleNamespace(endpoint="http://aws")
    url = "http://site"
    operators_url = "http://site/operators.html"
    operator = SimpleNamespace(email="olga@example.com", password="secret")

    class customers:
        url = "http://api"

        @staticmethod
        def each(*_parts: str) -> Iterator[dict[str, str]]:
            yield {"productId": "axe"}


def test_the_suggested_order_is_a_new_one_in_every_run(screen: io.StringIO) -> None:
    requests = []
    for _ in range(2):
        shop: Any = AppliedShop
        play_shop._farewell(shop)
        requests.append(json.loads(screen.getvalue().split("-d '")[1].split("'")[0]))
        screen.seek(0)
        screen.truncate()
    for name in ("clientToken", "customerId"):
        assert requests[0][name] != requests[1][name]
        assert 16 <= len(requests[0][name]) <= 64
