"""The shop's read routes and the operators' routes over DynamoDB Local."""

from collections.abc import Iterator

import pytest

from leda.shop import times
from leda.shop.stock import vendor_orders
from simulation.failures import cancelled, timed_out
from support.faults import Fault, after, instead
from support.shop import CUSTOMER, OPERATOR, ROUTES, ShopTables, order

NOT_FOUND = (404, "NotFound", None)


@pytest.fixture
def shop(shop: ShopTables) -> ShopTables:
    shop.sell("vest", qty=10, price_cents=4999)
    return shop


@pytest.fixture(scope="module")
def unchanged(dynamodb_endpoint: str) -> Iterator[ShopTables]:
    """A shop with an order and a vendor order, for requests that must change nothing."""
    shop = ShopTables(dynamodb_endpoint)
    shop.sell("vest")
    shop.order(("vest", 1))
    make_vendor_order(shop, "vest")
    before = shop.rows("UnifiedTable")
    yield shop
    assert shop.rows("UnifiedTable") == before


def make_vendor_order(shop: ShopTables, product: str, number: int = 0, quantity: int = 50) -> None:
    """Make a vendor order as fnCreateVendorOrder does."""
    action = vendor_orders.open_action(
        shop.prefix + "UnifiedTable",
        vendor_orders.VendorOrderName(product, number),
        quantity,
        times.now(),
    )
    shop.dynamodb.transact_write_items(TransactItems=[action])


def test_a_product_is_shown_with_its_stock(shop: ShopTables) -> None:
    shown = shop.request("GET /products/{id}", id="vest")

    assert (shown.status, shown.document) == (
        200,
        {
            "productId": "vest",
            "name": "Vest",
            "description": "Made for tests.",
            "priceCents": 4999,
            "qty": 10,
        },
    )
    assert shown.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("product", ["no-such", "", "Vest", "totalorders", "x" * 3000, "é"])
def test_an_unknown_product_answers_404(unchanged: ShopTables, product: str) -> None:
    assert unchanged.request("GET /products/{id}", id=product).error == NOT_FOUND


@pytest.mark.parametrize("route", ["GET /orders/{id}", "POST /admin/orders/{id}/ship"])
@pytest.mark.parametrize("identifier", ["0" * 32, "", "x" * 3000, "é", "../orders"])
def test_an_unknown_order_answers_404(unchanged: ShopTables, route: str, identifier: str) -> None:
    assert unchanged.request(route, id=identifier).error == NOT_FOUND


def test_products_are_listed_in_order_and_once_over_several_pages(shop: ShopTables) -> None:
    for number in range(7):
        shop.sell(f"part-{number}")
    found, cursor = [], None
    while True:
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = shop.request("GET /products", query=query).document
        found += [product["productId"] for product in page["products"]]
        if not (cursor := page["nextCursor"]):
            break
        assert len(page["products"]) == 3
    assert found == [*(f"part-{number}" for number in range(7)), "vest"]


def test_an_unreadable_part_is_left_out_of_the_lists(shop: ShopTables) -> None:
    broken = {"pk": {"S": "hat"}, "sk": {"S": "hat"}, "itemType": {"S": "part"}}
    shop.put(broken | {"inventoryKey": {"S": "part"}})

    for route in ("GET /products", "GET /admin/inventory"):
        products = shop.request(route).document["products"]
        assert [product["productId"] for product in products] == ["vest"]
    assert shop.request("GET /products/{id}", id="hat").status == 404


def test_an_order_is_found_by_its_id_and_in_its_customers_list(shop: ShopTables) -> None:
    mine = [order(("vest", 1), customerId=CUSTOMER) for _ in range(3)]
    made = [shop.request("POST /orders", each).document for each in mine]
    shop.order(("vest", 1))

    for each in made:
        assert shop.request("GET /orders/{id}", id=each["orderId"]).document == each
    page = shop.request("GET /customers/{id}/orders", query={"limit": "2"}, id=CUSTOMER).document
    rest = shop.request(
        "GET /customers/{id}/orders", query={"cursor": page["nextCursor"]}, id=CUSTOMER
    ).document
    listed = page["orders"] + rest["orders"]
    assert rest["nextCursor"] is None
    assert {each["orderId"] for each in listed} == {each["orderId"] for each in made}
    created = [each["createdAt"] for each in listed]
    assert created == sorted(created, reverse=True)
    assert listed[0].keys() == {"orderId", "status", "lines", "totalCents", "createdAt"}
    nobody = shop.request("GET /customers/{id}/orders", id="nobody-0123456789")
    assert nobody.document == {"orders": [], "nextCursor": None}


@pytest.mark.parametrize(
    ("route", "query", "field"),
    [
        *((route, {"limit": "0"}, "limit") for route in ("GET /products", "GET /admin/orders")),
        ("GET /products", {"limit": "101"}, "limit"),
        ("GET /admin/inventory", {"limit": "1000"}, "limit"),
        ("GET /products", {"cursor": "!"}, "cursor"),
        ("GET /admin/orders", {"cursor": "dmVzdA"}, "cursor"),
        ("GET /admin/orders", {"status": "Open"}, "status"),
        ("GET /admin/vendor-orders", {"status": "Created"}, "status"),
    ],
)
def test_a_list_names_the_invalid_parameter(
    unchanged: ShopTables, route: str, query: dict[str, str], field: str
) -> None:
    assert unchanged.request(route, query=query).error == (400, "InvalidRequest", field)


def test_a_customer_id_that_is_too_short_to_be_secret_is_refused(unchanged: ShopTables) -> None:
    answer = unchanged.request("GET /customers/{id}/orders", id="bob")
    assert answer.error == (400, "InvalidRequest", "id")


# -- operators


@pytest.mark.parametrize("route", [route for route in ROUTES if "/admin/" in route])
@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"username": "olga", "sub": "1", "token_use": "access", "scope": "openid email"},
        {"cognito:username": "olga", "sub": "1"},
        {"token_use": "id"},
    ],
    ids=["none", "access token", "no use", "nobody"],
)
def test_an_operators_route_without_the_claims_of_an_id_token_answers_401_and_changes_nothing(
    unchanged: ShopTables, route: str, claims: dict[str, str]
) -> None:
    """The API's authorizer refuses requests without claims, but accepts access tokens, which are for other programs."""
    made = unchanged.of_type("order")[0]["orderId"]["S"]
    for identifier in (made, "vest-0"):
        answer = unchanged.request(route, claims=claims, id=identifier)
        assert answer.error == (401, "Unauthorized", None)


def test_an_order_is_shipped_once_and_shown_as_shipped_everywhere(shop: ShopTables) -> None:
    shop.sell("axe")
    made = shop.order(("vest", 1), ("axe", 2)).document["orderId"]
    shipped = shop.change("ship", made)
    again = shop.change("ship", made, claims={**OPERATOR, "sub": "2"})

    assert shipped.status == again.status == 200
    assert shipped.document["status"] == "Shipped"
    assert shipped.document["shippedAt"] > shipped.document["createdAt"]
    assert again.body == shipped.body
    assert shop.request("GET /admin/orders/{id}", id=made).body == shipped.body
    assert shop.request("GET /orders/{id}", id=made).body == shipped.body
    header = shop.row(f"CUST-ORDER-{made}", "Order")
    assert header["shippedBy"] == {"S": "olga"}
    statuses = [
        row["status"]["S"]
        for kind in ("order", "orderLine", "customerOrder")
        for row in shop.of_type(kind)
    ]
    assert statuses == ["Shipped"] * 4
    assert "shippedBy" not in shipped.document


def test_open_orders_are_listed_oldest_first(shop: ShopTables) -> None:
    made = [shop.order(("vest", 1)).document["orderId"] for _ in range(4)]
    shop.change("ship", made[1])

    first = shop.request("GET /admin/orders", query={"limit": "2"}).document
    rest = shop.request("GET /admin/orders", query={"cursor": first["nextCursor"]}).document
    shipped = shop.request("GET /admin/orders", query={"status": "Shipped"}).document

    listed = first["orders"] + rest["orders"]
    assert {each["orderId"] for each in listed} == {made[0], made[2], made[3]}
    assert [each["createdAt"] for each in listed] == sorted(each["createdAt"] for each in listed)
    assert [each["orderId"] for each in shipped["orders"]] == [made[1]]
    assert "customerId" not in shipped["orders"][0]


def test_a_vendor_order_is_received_once_and_adds_to_the_stock(shop: ShopTables) -> None:
    make_vendor_order(shop, "vest", quantity=50)
    listed = shop.request("GET /admin/vendor-orders").document["vendorOrders"]
    assert [each["vendorOrderId"] for each in listed] == ["vest-0"]
    assert listed[0]["qty"] == 50

    received = shop.change("receive", "vest-0")
    again = shop.change("receive", "vest-0")

    assert received.status == 200
    assert received.document["status"] == "Received"
    assert received.document["receivedBy"] == "olga"
    assert again.body == received.body
    assert shop.stock("vest") == 60
    assert shop.row("vest", "vest")["restocks"] == {"N": "1"}
    assert shop.request("GET /admin/vendor-orders").document["vendorOrders"] == []
    closed = shop.request("GET /admin/vendor-orders", query={"status": "Received"}).document
    assert closed["vendorOrders"] == [received.document]


def test_closed_orders_and_vendor_orders_are_listed_newest_first(shop: ShopTables) -> None:
    made = [shop.order(("vest", 1)).document["orderId"] for _ in range(3)]
    for each in (made[2], made[0], made[1]):
        shop.change("ship", each)
    for product in ("axe", "hat", "vest"):
        shop.sell(product)
        make_vendor_order(shop, product)
    for product in ("hat", "vest", "axe"):
        shop.change("receive", f"{product}-0")

    def listed(route: str, name: str, field: str, **query: str) -> list[str]:
        found: list[str] = []
        query |= {"limit": "2"}
        while True:
            page = shop.request(route, query=query).document
            found += [each[field] for each in page[name]]
            if page["nextCursor"] is None:
                return found
            query["cursor"] = page["nextCursor"]

    shipped = listed("GET /admin/orders", "orders", "orderId", status="Shipped")
    assert shipped == [made[1], made[0], made[2]]
    received = listed(
        "GET /admin/vendor-orders", "vendorOrders", "vendorOrderId", status="Received"
    )
    assert received == ["axe-0", "vest-0", "hat-0"]


@pytest.mark.parametrize("identifier", ["vest-1", "vest", "", "vest-01", "-1", "x" * 3000, "é-1"])
def test_an_unknown_vendor_order_answers_404(unchanged: ShopTables, identifier: str) -> None:
    answer = unchanged.request("POST /admin/vendor-orders/{id}/receive", id=identifier)
    assert answer.error == NOT_FOUND


@pytest.mark.parametrize(
    "fault",
    [after(timed_out()), instead(timed_out()), instead(cancelled("TransactionConflict", "None"))],
    ids=["lost answer", "no answer", "conflict"],
)
def test_a_change_whose_transaction_fails_or_loses_its_answer_is_made_once(
    shop: ShopTables, fault: Fault
) -> None:
    make_vendor_order(shop, "vest")
    made = shop.order(("vest", 1)).document["orderId"]
    function, faults = shop.faulty("operations")
    faults.arm("transact_write_items", 1, fault)
    received = shop.change("receive", "vest-0", environment=function)
    faults.arm("transact_write_items", 1, fault)
    shipped = shop.change("ship", made, environment=function)

    assert (received.document["status"], shipped.document["status"]) == ("Received", "Shipped")
    assert shop.stock("vest") == 59


def put_total(shop: ShopTables, identifier: str, **measures: int) -> None:
    shop.dynamodb.put_item(
        TableName=shop.prefix + "UnifiedTableTotals",
        Item={
            "Identifier": {"S": identifier},
            **{name: {"N": str(value)} for name, value in measures.items()},
        },
    )


def test_the_inventory_shows_counts_and_the_open_vendor_order(shop: ShopTables) -> None:
    shop.sell("axe", qty=3, restocks=4)
    make_vendor_order(shop, "axe", number=3)
    make_vendor_order(shop, "axe", number=4, quantity=7)
    put_total(shop, "ordered:vest", Pieces=5)
    put_total(shop, "sold:vest", Pieces=2)

    axe, vest = shop.request("GET /admin/inventory").document["products"]

    assert (vest["ordered"], vest["sold"], vest["openVendorOrder"]) == (5, 2, None)
    assert (axe["ordered"], axe["sold"], axe["qty"], axe["reorderBelow"]) == (0, 0, 3, 5)
    assert (axe["openVendorOrder"]["vendorOrderId"], axe["openVendorOrder"]["qty"]) == ("axe-4", 7)


def test_the_metrics_are_zero_before_the_first_order(shop: ShopTables) -> None:
    assert shop.request("GET /admin/metrics").document == {
        "orders": 0,
        "shipped": 0,
        "revenueCents": 0,
    }
    put_total(shop, "orders:order", Count=2, RevenueCents=10**14)
    put_total(shop, "shipped:order", Count=1, RevenueCents=5)
    shown = shop.request("GET /admin/metrics", claims=OPERATOR).document
    assert shown == {"orders": 2, "shipped": 1, "revenueCents": 10**14}


def test_a_route_of_another_function_answers_404(shop: ShopTables) -> None:
    function = shop.function("storefront")

    assert function({"routeKey": "POST /orders"})["statusCode"] == 404
    assert function({})["statusCode"] == 404
