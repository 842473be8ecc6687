"""The shop's pages in a headless Chromium, served from the site's bucket: buying, operating, what must not happen."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from leda_cli.paths import LOCAL
from leda_cli.shop_client import TAKEN, Shop
from support import live_shop
from support.chromium import Chromium, Page, chromium, find_chromium
from support.live_aws import wait_for

EXECUTABLE = find_chromium()
PICTURES = LOCAL / "pictures"
"""Where the tests leave what they saw; docs/images/ has copies."""

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="this machine has no Chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    assert EXECUTABLE
    with chromium(EXECUTABLE, tmp_path_factory.mktemp("chromium") / "profile") as running:
        yield running


@pytest.fixture
def page(browser: Chromium, shop: Shop) -> Iterator[Page]:
    """A visitor who was never here. Whatever a test does: no error in the console, no request to anybody else."""
    visitor = browser.page()
    visitor.open(f"{shop.url}/index.html")
    visitor.wait_for("the page", "document.readyState === 'complete'")
    visitor.evaluate("localStorage.clear(), sessionStorage.clear()")
    yield visitor
    own = urlsplit(shop.url).netloc
    assert {urlsplit(url).netloc for url in visitor.requested()} == {own}
    visitor.close()


def problems(page: Page) -> list[str]:
    """What the site's pages did wrong.

    The emulator's sign-in page names no icon, and a browser asks for one. The emulator runs few functions at once, so
    that a call may be answered with 429; the page asks again.
    """
    forgiven = ("/favicon.ico", "status of 429")
    return [each for each in page.problems() if not any(text in each for text in forgiven)]


def visit(page: Page, shop: Shop, where: str = "") -> None:
    """Open the shop's page as a new visit: another part of an address alone would load nothing."""
    page.open("about:blank")
    page.open(f"{shop.url}/index.html{where}")


def put_into_basket(page: Page, product: str, quantity: int) -> None:
    page.fill(f"#add-{product}", str(quantity))
    page.click(f"[data-product='{product}'] button")


def sign_in(page: Page, shop: Shop) -> None:
    page.open(shop.operators_url)
    page.click("#sign-in")
    page.fill("#username", shop.operator.email)
    page.fill("#password", shop.operator.password)
    page.click("button[type=submit]")
    page.wait_for_text("The shelves right now")


def test_the_pages_after_some_days_of_trade(browser: Chromium, shop: Shop) -> None:
    """What the pictures of the documentation show: orders to ship and shipped, low stock, and vendor orders."""
    draw = random.Random(11)
    every = [each["productId"] for each in shop.customers.each("products", "products")]
    *usual, rushed = [product for product in every if not product.startswith("test-")]
    orders = [
        live_shop.placed(
            shop,
            {product: draw.randint(1, 4) for product in draw.sample(usual, 2)},
            shipping=draw.choice(("standard", "1-day", "drone")),
        )
        for _ in range(12)
    ]
    for order in orders[:9]:
        assert live_shop.shipped(shop, order["orderId"]).status == 200
    live_shop.placed(shop, {rushed: live_shop.left(shop, rushed) - 4})
    wait_for("the vendor order", lambda: live_shop.vendor_orders(shop, rushed))
    wait_for("every count", lambda: live_shop.counts_that_differ(shop), lambda seen: not seen)
    page = browser.page(height=900)
    page.open(f"{shop.url}/index.html")
    put_into_basket(page, usual[0], 2)
    put_into_basket(page, usual[1], 1)
    page.wait_for("the basket", "document.querySelectorAll('.lines li').length === 2")
    page.evaluate("document.querySelector('#notice').hidden = true, document.activeElement.blur()")
    page.screenshot(PICTURES / "shop.png")
    sign_in(page, shop)
    page.wait_for_text("4", f"#inventory [data-product='{rushed}']")
    page.screenshot(PICTURES / "shop-operators.png")
    assert problems(page) == []
    page.close()


def test_the_shop_shows_every_product_with_price_and_stock(page: Page, shop: Shop) -> None:
    few = live_shop.stock(shop, name="Last Lantern", qty=3, price=123456)
    none = live_shop.stock(shop, name="No Lantern", qty=0)
    visit(page, shop)
    page.wait_for_text("Last Lantern")

    shown = page.evaluate("[...document.querySelectorAll('.product')].map(e => e.dataset.product)")
    assert shown == [each["productId"] for each in shop.customers.each("products", "products")]
    assert "$1,234.56" in page.text(f"[data-product='{few}']")
    assert "only 3 left" in page.text(f"[data-product='{few}']")
    assert "sold out" in page.text(f"[data-product='{none}']")
    assert page.evaluate(f"document.querySelector(\"[data-product='{none}'] button\").disabled")
    assert problems(page) == []


def test_an_order_is_placed_from_the_basket_and_its_status_shown(page: Page, shop: Shop) -> None:
    one = live_shop.stock(shop, name="Torch", price=250)
    two = live_shop.stock(shop, name="Matches", price=99)
    visit(page, shop)
    put_into_basket(page, one, 2)
    put_into_basket(page, two, 3)
    page.wait_for_text("$7.97", "#total")
    visit(page, shop)  # the basket is still there
    page.wait_for_text("$7.97", "#total")
    page.click("#order")

    page.wait_for_text("Your order is placed")
    number = page.text("#number")
    order = shop.customers.get("orders", number).body
    assert {each["productId"]: each["qty"] for each in order["lines"]} == {one: 2, two: 3}
    assert order["totalCents"] == 797
    assert page.table("#placed") == [
        ["Torch", "2", "$2.50", "$5.00"],
        ["Matches", "3", "$0.99", "$2.97"],
    ] or page.table("#placed") == [
        ["Matches", "3", "$0.99", "$2.97"],
        ["Torch", "2", "$2.50", "$5.00"],
    ]

    live_shop.shipped(shop, number)
    visit(page, shop, "#/orders")
    page.wait_for_text(number, "#orders")
    (row,) = page.table("#orders")
    assert row[2:] == ["shipped", "2", "$7.97"]
    visit(page, shop)
    page.wait_for_text("Still empty")
    assert problems(page) == []


def test_an_order_whose_answer_was_lost_is_not_placed_twice(page: Page, shop: Shop) -> None:
    product = live_shop.stock(shop, qty=10)
    visit(page, shop)
    put_into_basket(page, product, 4)
    # The page's own request reaches the shop, and the page is closed before the answer comes.
    request = page.evaluate(
        "import(new URL('js/visitor.js', location)).then(v => v.checkout('standard'))"
    )
    assert shop.customers.order(request).status in TAKEN
    visit(page, shop)
    page.click("#order")
    page.wait_for_text("Your order is placed")

    assert live_shop.left(shop, product) == 6
    orders = shop.customers.get("customers", request["customerId"], "orders").body["orders"]
    assert [each["orderId"] for each in orders] == [page.text("#number")]


def test_what_is_gone_meanwhile_is_said_and_the_basket_kept(page: Page, shop: Shop) -> None:
    product = live_shop.stock(shop, name="Canned Peaches", qty=5)
    visit(page, shop)
    put_into_basket(page, product, 5)
    page.wait_for("the line in the basket", "!!document.querySelector('#order')")
    live_shop.placed(shop, {product: 1})
    page.click("#order")

    page.wait_for_text("only 4 left", f"[data-product='{product}']")
    assert page.text("#notice") == "There are 4 left."
    assert "wrong" in page.evaluate("document.querySelector('#notice').className")
    assert page.evaluate("document.querySelector('.lines input').value") == "5"
    assert live_shop.left(shop, product) == 4


def test_names_are_shown_as_they_are_and_run_nothing(page: Page, shop: Shop) -> None:
    evil = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    product = live_shop.stock(shop, name=evil, reorder_below=1000)
    order = live_shop.placed(shop, {product: 1})["orderId"]
    visit(page, shop)
    page.wait_for_text(evil, f"[data-product='{product}'] h3")
    visit(page, shop, f"#/orders/{order}")
    page.wait_for_text(evil, "#placed")
    visit(page, shop, "#/orders/%3Cimg%20src=x%20onerror=document.title='owned'%3E")
    page.wait_for("the notice", "!document.querySelector('#notice').hidden")
    sign_in(page, shop)
    page.wait_for_text(evil, "#inventory")

    assert "owned" not in page.evaluate("document.title")
    assert page.evaluate("document.querySelectorAll('main img, main script').length") == 0


def test_the_policy_of_both_pages_refuses_scripts_in_the_page(page: Page, shop: Shop) -> None:
    for url in (f"{shop.url}/index.html", shop.operators_url):
        page.open(url)
        page.wait_for("the view", "document.querySelector('#view')?.children.length")
        for attempt in (
            "document.body.innerHTML = '<b>x</b>'",
            "document.querySelector('a').setAttribute('onclick', 'document.title = 1')",
            "document.head.append(Object.assign(document.createElement('script'), {text: '1'}))",
        ):
            refused = f"(() => {{ try {{ {attempt}; return false }} catch {{ return true }} }})()"
            assert page.evaluate(refused), attempt
        assert any("Trusted" in problem for problem in page.problems())


def test_operators_sign_in_and_see_what_the_api_says(page: Page, shop: Shop) -> None:
    product = live_shop.stock(shop, name="Barbed Wire", qty=60, reorder_below=50, reorder_qty=200)
    order = live_shop.placed(shop, {product: 20})["orderId"]
    wait_for("the vendor order", lambda: live_shop.vendor_orders(shop, product))
    wait_for("the count", lambda: live_shop.shelf(shop, product)["ordered"], lambda n: n == 20)
    page.open(shop.operators_url)
    page.wait_for_text("Inventory, orders and vendor orders are shown to who has an account.")
    sign_in(page, shop)
    page.wait_for_text("Barbed Wire", "#inventory")

    shelf = live_shop.shelf(shop, product)
    row = page.evaluate(
        f"[...document.querySelector(\"#inventory [data-product='{product}']\").cells]"
        ".map(cell => cell.innerText.trim())"
    )
    assert row == ["Barbed Wire", "40", "", str(shelf["ordered"]), "0", "200 coming"]

    def figures() -> dict[str, Any]:
        metrics = shop.operators.get("admin", "metrics").body
        return {
            "total-orders": f"{metrics['orders']:,}",
            "open-orders": f"{metrics['orders'] - metrics['shipped']:,}",
            "shipped-orders": f"{metrics['shipped']:,}",
            "revenue": f"${metrics['revenueCents'] / 100:,.2f}",
        }

    wait_for(
        "the figures on the page",
        lambda: {name: page.text(f"#{name}") for name in figures()},
        lambda seen: seen == figures(),
    )

    page.click(f"#ship-{order}")
    wait_for(
        "the order shipped", lambda: shop.customers.get("orders", order).body["status"] == "Shipped"
    )
    page.click(f"#receive-{product}-0")
    wait_for("the stock", lambda: live_shop.left(shop, product), lambda seen: seen == 240)
    page.wait_for_text("240", f"#inventory [data-product='{product}']")
    assert problems(page) == []
    # Tokens are kept for the tab alone, and the code of the sign-in is not in the address any more.
    assert page.evaluate("location.search") == ""
    assert "operator-token" not in page.evaluate("JSON.stringify(localStorage)")

    page.click("#sign-out")
    page.wait_for_text("are shown to who has an account")
    assert page.evaluate("sessionStorage.length") == 0


def test_a_sign_in_that_this_tab_did_not_begin_is_refused(page: Page, shop: Shop) -> None:
    page.open(f"{shop.operators_url}?code=somebody-elses&state=unknown")
    page.wait_for_text("was not begun in this tab")
    assert page.evaluate("sessionStorage.length") == 0


def test_an_operator_whose_token_is_refused_is_asked_to_sign_in_again(
    page: Page, shop: Shop
) -> None:
    page.open(shop.operators_url)
    page.wait_for_text("Sign in", "#view")
    bad = live_shop.tampered(shop.operator.token)
    page.evaluate(f"sessionStorage.setItem('operator-token', '{bad}')")
    page.open("about:blank")
    page.open(shop.operators_url)
    page.wait_for_text("Please sign in again")
    page.wait_for("the button", "!!document.querySelector('#sign-in')")


@pytest.mark.parametrize("width", [360, 1280])
def test_every_control_has_a_name_and_nothing_is_cut_off(
    browser: Chromium, shop: Shop, width: int
) -> None:
    page = browser.page(width)
    live_shop.stock(shop, qty=5)
    product = live_shop.stock(shop, qty=5)
    page.open(f"{shop.url}/index.html")
    put_into_basket(page, product, 1)
    page.wait_for("the basket", "!!document.querySelector('#order')")

    def check() -> None:
        assert page.unnamed_controls() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    check()
    visit(page, shop, "#/orders")
    page.wait_for_text("My orders", "h1")
    check()
    sign_in(page, shop)
    check()
    page.close()


def test_the_pages_name_nobody_else() -> None:
    """No address but those of the settings: not in the pages, not in the scripts, not in the style."""
    site = Path(__file__).parents[2] / "examples/shop/site"
    for file in (each for each in site.rglob("*") if each.suffix in (".html", ".js", ".css")):
        code = re.sub(r"^\s*//.*|/\*.*?\*/", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)
        assert not re.search(r"https?://", code), file
