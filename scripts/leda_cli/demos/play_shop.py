"""The demo of examples/shop: orders over HTTP, a rush for the last ten units, and the counts that the stream feeds.

Every figure that the shop shows is compared with the demo's own ledger.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.output import cell, console, heading, info, step
from leda_cli.base.paths import MINISTACK_ENV_FILE, ROOT
from leda_cli.base.waiting import wait_for
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.settling import settle_figures
from leda_cli.demos.shop_client import TAKEN, Answer, Shop, new_request
from leda_cli.demos.shop_ledger import Ledger, best_sellers, figures
from leda_cli.demos.what_next import say_what_next
from leda_cli.operate.totals.screen import ACCENT, plain_table, print_table

LAST = 10
CUSTOMERS = 100
MORE_ORDERS = 12
MOST_OF_A_LINE = 100
"""The shop's limit for an order line."""
PAID = 3
SHIPPED = 5
PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request, and the answer that the shop must give."""

    what: str
    request: dict[str, Any]
    status: int
    code: str | None = None


def play(aws: ExampleAws) -> None:
    """Play the demo. Raises LedaError if a result is wrong."""
    shop, draw = Shop(aws), random.Random()
    ledger = _shelves(shop)
    _orders(shop, ledger, draw)
    _rush(shop, ledger)
    _operators(shop, ledger, draw)
    _lake(shop)
    _farewell(shop)


def read_figures(shop: Shop) -> dict[str, Any]:
    """Every figure of the operators' routes, named as in `Ledger.expected`."""
    operators = shop.operators
    return figures(
        operators.each("products", "admin", "inventory"),
        operators.each("vendorOrders", "admin", "vendor-orders", status="Open"),
        operators.get("admin", "metrics").body,
    )


def settle(shop: Shop, ledger: Ledger, patience: float = PATIENCE_SECONDS) -> None:
    """Wait until every figure equals the ledger's. Raises LedaError if that does not happen."""
    settle_figures(
        ledger.expected(),
        lambda: read_figures(shop),
        "what was ordered",
        hold=0.5,
        patience=patience,
        every=LOOK_SECONDS,
        fix="If nobody else uses this shop, that is a bug in LEDA; `make down` begins with an empty one.",
    )


def _shelves(shop: Shop) -> Ledger:
    heading("The shelves")
    with step("an operator's account, signed in on the hosted page with PKCE"):
        inventory = list(shop.operators.each("products", "admin", "inventory"))
    with step("waiting until the counts of earlier orders are there"):
        before = _quiet(shop)
    shown = list(shop.customers.each("products", "products"))
    table = plain_table("product", "price", "in stock", right=("price", "in stock"))
    for product in shown:
        table.add_row(cell(product["name"]), _money(product["priceCents"]), f"{product['qty']:,}")
    print_table(console, table)
    _require(
        len(shown) >= 3
        and {each["productId"] for each in shown} == {each["productId"] for each in inventory},
        "The shop must show its products to everyone, three at least.",
    )
    return Ledger(inventory, before)


def _quiet(shop: Shop) -> dict[str, Any]:
    """The figures, once two reads in a row give the same."""
    last, found = None, read_figures(shop)
    while found != last:
        time.sleep(LOOK_SECONDS)
        last, found = found, read_figures(shop)
    return found


def attempts(ledger: Ledger) -> list[Attempt]:
    """Orders that the shop must take, recognize or refuse. The second is a retry of the first, which is taken."""
    one, two, three = _by_stock(ledger)[:3]
    good = new_request({one: 1, two: 2}, shipping="drone")
    priced = new_request({one: 1})
    priced["lines"][0]["priceCents"] = 1
    return [
        Attempt("two articles, by drone", good, 201),
        Attempt("the same request again", good, 200),
        Attempt(
            "its token, another order",
            {**new_request({three: 1}), "clientToken": good["clientToken"]},
            422,
            "ClientTokenReused",
        ),
        Attempt("a price that the client sets", priced, 400, "InvalidRequest"),
        Attempt("a quantity of 0", new_request({one: 0}), 400, "InvalidRequest"),
        Attempt(
            "an unknown product", new_request({"chainsaw-of-destiny": 1}), 422, "UnknownProduct"
        ),
        Attempt(
            "a quantity above 100",
            new_request({two: 1, three: MOST_OF_A_LINE + 1}),
            400,
            "InvalidRequest",
        ),
    ]


def _orders(shop: Shop, ledger: Ledger, draw: random.Random) -> None:
    heading("Orders, over HTTP")
    table = plain_table("order", "answer", "what it says")
    first: Answer | None = None
    for attempt in attempts(ledger):
        answer = shop.customers.order(attempt.request)
        said = answer.error.get("message") or f"order {(answer.body or {}).get('orderId', '')[:8]}…"
        table.add_row(attempt.what, f"{answer.status} {answer.error.get('code', '')}", cell(said))
        good = TAKEN if attempt.status == 201 else (attempt.status,)
        if answer.status not in good or answer.error.get("code") != attempt.code:
            print_table(console, table)
            raise LedaError(
                f"{attempt.what}: must be answered with {attempt.status} {attempt.code or ''}.",
                "That is a bug in LEDA.",
            )
        if attempt.status == 201:
            first = answer
            lines = {line["productId"]: line["qty"] for line in attempt.request["lines"]}
            ledger.ordered(answer.body["orderId"], lines)
            _require(
                answer.body["totalCents"] == ledger.total(lines),
                "The total must be the sum of the shelves' prices.",
            )
        if attempt.status == 200:
            _require(
                first is not None and answer.content == first.content,
                "A retried request must be answered with its order.",
            )
    print_table(console, table)
    with step(f"{MORE_ORDERS} more orders"):
        for _ in range(MORE_ORDERS):
            _place(shop, ledger, {product: draw.randint(1, 3) for product in _some(ledger, draw)})
    for product in ledger.products:
        seen = shop.customers.get("products", product).body["qty"]
        _require(
            seen == ledger.stock(product),
            f"{product}: {seen} in stock, not {ledger.stock(product)}.",
        )
    info(
        "Refused orders took nothing from stock: the stock is the first stock without the accepted orders."
    )


def _some(ledger: Ledger, draw: random.Random) -> list[str]:
    """Up to three random products that are in stock."""
    there = [product for product in ledger.products if ledger.stock(product) > 2 * LAST]
    return draw.sample(there, min(len(there), draw.randint(1, 3))) or [_stocked(ledger)]


def _stocked(ledger: Ledger) -> str:
    return _by_stock(ledger)[0]


def _by_stock(ledger: Ledger) -> list[str]:
    """The products, those with the largest stock first."""
    return sorted(ledger.products, key=ledger.stock, reverse=True)


def _place(shop: Shop, ledger: Ledger, lines: Mapping[str, int]) -> None:
    """Place an order that the shop must take."""
    answer = shop.customers.order(new_request(lines))
    what = f"An order of {lines} is answered {answer.status}: {answer.body}"
    _require(answer.status in TAKEN, what)
    ledger.ordered(answer.body["orderId"], lines)


def _rush(shop: Shop, ledger: Ledger) -> None:
    product = _stocked(ledger)
    name = ledger.products[product]["name"]
    heading(f"{CUSTOMERS} customers at once for the last {LAST}: {name}")
    while (left := ledger.stock(product)) > LAST:
        _place(shop, ledger, {product: min(left - LAST, MOST_OF_A_LINE)})
    requests = [new_request({product: 1}) for _ in range(CUSTOMERS)]
    with step(f"{CUSTOMERS} orders"), ThreadPoolExecutor(CUSTOMERS) as pool:
        answers = list(pool.map(shop.customers.order, requests))
    orders = {answer.body["orderId"] for answer in answers if answer.status in TAKEN}
    for order in orders:
        ledger.ordered(order, {product: 1})
    found = Counter((answer.status, answer.error.get("code")) for answer in answers)
    taken, refused = len(orders), found[409, "OutOfStock"]
    left = shop.customers.get("products", product).body["qty"]
    info(f"{taken} orders taken, {refused} refused with 409 OutOfStock, {left} left")
    _require(
        (taken, refused, left) == (LAST, CUSTOMERS - LAST, 0),
        f"Exactly {LAST} must be taken and all others refused; the answers were {dict(found)}.",
    )


def _operators(shop: Shop, ledger: Ledger, draw: random.Random) -> None:
    heading("What the operators see")
    refused = shop.customers.get("admin", "metrics").status
    info(f"GET /admin/metrics without a token: {refused}; with an operator's, below")
    _require(refused == 401, "The operators' routes must refuse requests without a token.")
    for number, order in enumerate(draw.sample([*ledger.orders], SHIPPED + PAID)):
        answer = shop.operators.post("admin", "orders", order, "pay")
        _require(answer.status == 200, f"Paying answers {answer.status}: {answer.body}")
        if number < SHIPPED:
            answer = shop.operators.post("admin", "orders", order, "ship")
            _require(answer.status == 200, f"Shipping answers {answer.status}: {answer.body}")
            ledger.shipped(order)
    with step("waiting until the stream's functions have counted and reordered"):
        settle(shop, ledger)
    _inventory(shop)
    opened = list(shop.operators.each("vendorOrders", "admin", "vendor-orders", status="Open"))
    received = opened[0]
    answer = shop.operators.post("admin", "vendor-orders", received["vendorOrderId"], "receive")
    _require(answer.status == 200, f"Receiving answers {answer.status}: {answer.body}")
    ledger.received(received["productId"], received["qty"])
    with step(
        f"vendor order {received['vendorOrderId']} comes in: {number_of(received['qty'], 'unit')}"
    ):
        settle(shop, ledger)
    metrics = shop.operators.get("admin", "metrics").body
    info(
        f"{number_of(metrics['orders'], 'order')}, {metrics['shipped']:,} of them shipped; "
        f"ordered for {_money(metrics['revenueCents'])}"
    )
    console.print(
        f"    [{ACCENT}]Exact:[/] all {len(ledger.expected())} figures equal those of the demo's own ledger."
    )


def _inventory(shop: Shop) -> None:
    columns = ("in stock", "ordered", "sold")
    table = plain_table("product", *columns, "on order", right=(*columns, "on order"))
    for product in shop.operators.each("products", "admin", "inventory"):
        coming = product["openVendorOrder"]
        table.add_row(
            cell(product["name"]),
            *(f"{product[name]:,}" for name in ("qty", "ordered", "sold")),
            f"{coming['qty']:,}" if coming else "",
        )
    print_table(console, table)


def _lake(shop: Shop) -> None:
    heading("What the analysts see: Athena, over every change of the table")
    expected = best_sellers(shop.rows())
    found: list[tuple[str, int, int]] = []

    def arrived() -> bool:
        found[:] = [
            (row["product_id"], int(row["units"]), int(row["revenue_cents"]))
            for row in shop.query("best sellers")
        ]
        return found == expected

    with step("the saved query `best sellers`"):
        wait_for("what the table's order lines add up to", arrived, PATIENCE_SECONDS)
    table = plain_table("product", "units", "revenue", right=("units", "revenue"))
    for product, units, cents in found:
        table.add_row(cell(product), f"{units:,}", _money(cents))
    print_table(console, table)
    info(
        f"Each change counts once, however often it was delivered: the sums equal those of {shop.table}'s order lines."
    )


def _require(so: bool, what: str) -> None:
    if not so:
        raise LedaError(what, "If nobody else uses this shop, that is a bug in LEDA.")


def _money(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02d}"


def _farewell(shop: Shop) -> None:
    product = next(iter(shop.customers.each("products", "products")))["productId"]
    request, env = json.dumps(new_request({product: 1})), MINISTACK_ENV_FILE.relative_to(ROOT)
    say_what_next(
        shop.aws.endpoint,
        "the shop",
        (
            f"curl {shop.customers.url}/products",
            f"curl {shop.customers.url}/orders -H 'content-type: application/json' -d '{request}'",
            f"(. {env}; .venv/bin/leda verify --aws --map-function fnUpdateInventory)",
            "make demo EXAMPLE=shop",
        ),
        (
            f"The shop:       {shop.url}/index.html",
            f"The operators:  {shop.operators_url}",
            f"                sign in as {shop.operator.email} with {shop.operator.password}",
        ),
    )
    info("docs/shop.md says how it is made, and why each number is exact.")
