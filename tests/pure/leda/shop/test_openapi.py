"""The OpenAPI document agrees with the code about routes, limits, codes and patterns."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.shop import paging
from leda.shop.orders import order_request, orders
from leda.shop.refusals import RefusedError
from leda.shop.stock import parts, vendor_orders
from leda_cli.base.paths import ROOT
from support.shop import OPENAPI, ROUTES

SCHEMAS = OPENAPI.document["components"]["schemas"]
LAMBDA_SRC = ROOT / "lambda_src"


def test_the_document_and_the_handlers_have_the_same_routes() -> None:
    in_code = {
        name: re.findall(r'"((?:GET|POST) /[^"]*)"', (LAMBDA_SRC / name / "handler.py").read_text())
        for name in set(ROUTES.values())
    }
    assert {route: name for name, routes in in_code.items() for route in routes} == ROUTES
    assert OPENAPI.operations.keys() == ROUTES.keys()


def test_only_the_operators_routes_require_a_token() -> None:
    for route, operation in OPENAPI.operations.items():
        assert ("security" in operation) == ("/admin/" in route), route


def test_the_document_has_the_limits_of_the_code() -> None:
    lines = SCHEMAS["OrderRequest"]["properties"]["lines"]
    assert lines["maxItems"] == order_request.MAX_LINES == 48
    assert SCHEMAS["RequestedLine"]["properties"]["qty"]["maximum"] == order_request.MAX_QUANTITY
    assert f"at most {order_request.MAX_QUANTITY_OF_AN_ORDER} units" in lines["description"]
    limit = OPENAPI.document["components"]["parameters"]["limit"]["schema"]
    assert limit["maximum"] == paging.MOST_ROWS
    assert SCHEMAS["ShippingOption"]["enum"] == list(order_request.SHIPPING_OPTIONS)
    assert SCHEMAS["OrderStatus"]["enum"] == list(orders.STATUSES)
    assert SCHEMAS["VendorOrderStatus"]["enum"] == list(vendor_orders.STATUSES)


def test_the_document_has_the_error_codes_of_the_code() -> None:
    sources = (LAMBDA_SRC / "leda" / "shop").rglob("*.py")
    text = "".join(path.read_text() for path in sources)
    # A refusal's code is the only text that stands right after its status.
    found = set(re.findall(r'HTTPStatus\.[A-Z_]+,\s*"([A-Za-z]+)"', text))
    assert found == set(SCHEMAS["Error"]["properties"]["error"]["properties"]["code"]["enum"])


WORDS = st.text("abz09-AB_ é\n", max_size=70)


@pytest.mark.parametrize(
    ("schema", "accepts"),
    [
        ("ProductId", lambda text: parts.PRODUCT.fullmatch(text) is not None),
        ("CustomerId", lambda text: order_request.SECRET.fullmatch(text) is not None),
        ("OrderId", orders.is_identifier),
        ("VendorOrderId", lambda text: vendor_orders.named(text) is not None),
    ],
)
def test_the_documents_patterns_accept_what_the_code_accepts(schema, accepts) -> None:  # type: ignore[no-untyped-def]
    validator = OPENAPI.validator(SCHEMAS[schema])

    @given(st.one_of(WORDS, st.from_regex(SCHEMAS[schema]["pattern"])))
    def same(text: str) -> None:
        assert accepts(text) is validator.is_valid(text)

    same()


ORDERS = st.fixed_dictionaries(
    {
        "clientToken": st.one_of(WORDS, st.just("t" * 16), st.none()),
        "customerId": st.one_of(WORDS, st.just("c" * 64), st.integers()),
        "shippingOption": st.sampled_from(["standard", "drone", "Drone", None, ["drone"]]),
        "lines": st.one_of(
            st.none(),
            st.lists(
                st.fixed_dictionaries(
                    {
                        "productId": st.sampled_from(["vest", "a-1", "Vest", "", None, 1]),
                        "qty": st.sampled_from([1, 100, 0, 101, -1, True, "1", None]),
                    },
                    optional={"price": st.integers()},
                ),
                max_size=3,
            ),
        ),
    },
    optional={"totalCents": st.integers()},
)


ORDER_REQUEST = OPENAPI.validator(SCHEMAS["OrderRequest"])


@given(ORDERS)
def test_orders_that_are_valid_by_the_document_are_accepted_and_no_others(
    document: dict[str, object],
) -> None:
    fits = ORDER_REQUEST.is_valid(document)
    lines = document["lines"]
    # Two rules are only in the document's descriptions: the sum of quantities, and each product once.
    products = [line["productId"] for line in lines] if isinstance(lines, list) else []
    few = fits and isinstance(lines, list) and sum(line["qty"] for line in lines) <= 200
    if few and len(set(products)) == len(products):
        assert order_request.read(document).shipping == document["shippingOption"]
        return
    with pytest.raises(RefusedError) as refused:
        order_request.read(document)
    assert (refused.value.status, bool(refused.value.field)) == (400, True)
