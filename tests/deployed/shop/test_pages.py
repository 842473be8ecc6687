"""The shop's pages for customers and operators in a headless Chromium, served from the site's bucket."""

import json
import random
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from leda_cli.base.paths import LOCAL, ROOT
from leda_cli.demos.shop_client import TAKEN, Shop
from support import live_shop
from support.browser import (
    broken_words,
    is_in_view,
    new_page,
    scroll_to,
    shows,
    table,
    unnamed_controls,
)
from support.live_aws import wait_for

PICTURES = LOCAL / "pictures"
"""The folder for screenshots, some of which are in docs/images."""


@pytest.fixture
def problems() -> list[str]:
    """The errors in the console of the page, without those that MiniStack causes."""
    return Problems()


class Problems(list[str]):
    """A list that ignores errors of MiniStack.

    Its sign-in page names no icon, so that the browser requests one. It runs only a few functions at once, and the page
    repeats a call that is answered with 429.
    """

    def append(self, problem: str) -> None:
        if not any(text in problem for text in ("/favicon.ico", "status of 429")):
            super().append(problem)


@pytest.fixture
def page(browser: Browser, shop: Shop, problems: list[str]) -> Iterator[Page]:
    """A page of a new visitor, which must send no request to another server."""
    requested: list[str] = []
    visitor = new_page(browser, problems, requested)
    visitor.goto(f"{shop.url}/index.html")
    yield visitor
    own = urlsplit(shop.url).netloc
    assert {urlsplit(url).netloc for url in requested if url != "about:blank"} == {own}
    visitor.close()


def visit(page: Page, shop: Shop, where: str = "") -> None:
    """Load the shop's page again; a change of the URL's fragment alone would load nothing."""
    page.goto("about:blank")
    page.goto(f"{shop.url}/index.html{where}")


def put_into_basket(page: Page, product: str, quantity: int) -> None:
    page.fill(f"#add-{product}", str(quantity))
    page.click(f"[data-product='{product}'] button")


def sign_in(page: Page, shop: Shop) -> None:
    page.goto(shop.operators_url)
    page.click("#sign-in")
    fill_in_sign_in(page, shop)


def fill_in_sign_in(page: Page, shop: Shop) -> None:
    page.fill("#username", shop.operator.email)
    page.fill("#password", shop.operator.password)
    page.click("button[type=submit]")
    shows(page, "The shelves right now")


def paid(shop: Shop, lines: dict[str, int]) -> str:
    """The ID of a new order that is paid and not shipped."""
    order = str(live_shop.placed(shop, lines)["orderId"])
    assert shop.operators.post("admin", "orders", order, "pay").status == 200
    return order


def test_pictures_of_both_pages_after_some_days_of_trade(
    page: Page, shop: Shop, problems: list[str]
) -> None:
    """The screenshots in the documentation show orders to ship and shipped ones, low stock, and vendor orders."""
    draw = random.Random(11)
    every = [each["productId"] for each in shop.customers.each("products", "products")]
    # The demo has sold one product out.
    *usual, rushed = [
        product
        for product in every
        if not product.startswith("test-") and live_shop.left(shop, product) > 50
    ]
    orders = [
        live_shop.placed(
            shop,
            {product: draw.randint(1, 4) for product in draw.sample(usual, 2)},
            shipping=draw.choice(("standard", "1-day", "drone")),
        )
        for _ in range(12)
    ]
    for order in orders[:6]:
        assert live_shop.shipped(shop, order["orderId"]).status == 200
    for order in orders[6:11]:
        assert shop.operators.post("admin", "orders", order["orderId"], "pay").status == 200
    while (left := live_shop.left(shop, rushed)) > 4:
        live_shop.placed(shop, {rushed: min(left - 4, 100)})
    wait_for("the vendor order", lambda: live_shop.vendor_orders(shop, rushed))
    wait_for("every count", lambda: live_shop.counts_that_differ(shop), lambda seen: not seen)
    page.set_viewport_size({"width": 1280, "height": 900})
    visit(page, shop)
    put_into_basket(page, usual[0], 2)
    put_into_basket(page, usual[1], 1)
    expect(page.locator(".lines li")).to_have_count(2)
    page.evaluate("document.querySelector('#notice').hidden = true, document.activeElement.blur()")
    page.screenshot(path=PICTURES / "shop.png", full_page=True)
    sign_in(page, shop)
    shows(page, "4", f"#inventory [data-product='{rushed}']")
    page.screenshot(path=PICTURES / "shop-operators.png", full_page=True)
    assert problems == []


def test_the_shop_page_shows_every_product_with_price_and_stock(
    page: Page, shop: Shop, problems: list[str]
) -> None:
    few = live_shop.stock(shop, name="Last Lantern", qty=3, price=123456)
    none = live_shop.stock(shop, name="No Lantern", qty=0)
    visit(page, shop)
    shows(page, "Last Lantern")

    shown = page.evaluate("[...document.querySelectorAll('.product')].map(e => e.dataset.product)")
    assert shown == [each["productId"] for each in shop.customers.each("products", "products")]
    assert "$1,234.56" in page.inner_text(f"[data-product='{few}']")
    assert "only 3 left" in page.inner_text(f"[data-product='{few}']")
    assert "sold out" in page.inner_text(f"[data-product='{none}']")
    assert page.is_disabled(f"[data-product='{none}'] button")
    assert problems == []


def test_a_customer_places_an_order_from_the_basket_and_sees_its_status(
    page: Page, shop: Shop, problems: list[str]
) -> None:
    one = live_shop.stock(shop, name="Torch", price=250)
    two = live_shop.stock(shop, name="Matches", price=99)
    visit(page, shop)
    put_into_basket(page, one, 2)
    put_into_basket(page, two, 3)
    shows(page, "$7.97", "#total")
    visit(page, shop)  # the basket is still there
    shows(page, "$7.97", "#total")
    page.click("#order")

    shows(page, "Your order is placed")
    number = page.inner_text("#number")
    order = shop.customers.get("orders", number).body
    assert {each["productId"]: each["qty"] for each in order["lines"]} == {one: 2, two: 3}
    assert order["totalCents"] == 797
    rows = {one: ["Torch", "2", "$2.50", "$5.00"], two: ["Matches", "3", "$0.99", "$2.97"]}
    assert table(page, "#placed") == [rows[product] for product in sorted(rows)]

    live_shop.shipped(shop, number)
    visit(page, shop, "#/orders")
    page.wait_for_selector(f"[data-order='{number}']")
    (row,) = table(page, "#orders")
    assert row[2:] == ["shipped", "2", "$7.97"]
    visit(page, shop)
    shows(page, "Still empty")
    assert problems == []


def test_an_order_is_placed_once_when_the_page_is_closed_before_the_answer(
    page: Page, shop: Shop
) -> None:
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
    shows(page, "Your order is placed")

    assert live_shop.left(shop, product) == 6
    orders = shop.customers.get("customers", request["customerId"], "orders").body["orders"]
    assert [each["orderId"] for each in orders] == [page.inner_text("#number")]


def test_an_order_for_too_many_units_shows_the_stock_and_keeps_the_basket(
    page: Page, shop: Shop
) -> None:
    product = live_shop.stock(shop, name="Canned Peaches", qty=5)
    visit(page, shop)
    put_into_basket(page, product, 5)
    page.wait_for_selector("#order")
    live_shop.placed(shop, {product: 1})
    page.click("#order")

    shows(page, "only 4 left", f"[data-product='{product}']")
    assert page.inner_text("#notice") == "Canned Peaches: 4 left."
    assert "only 4 left" in page.inner_text(f"[data-line='{product}']")
    assert "wrong" in str(page.get_attribute("#notice", "class"))
    assert page.input_value(".lines input") == "5"
    assert live_shop.left(shop, product) == 4


def test_html_in_a_products_name_is_shown_as_text(page: Page, shop: Shop) -> None:
    evil = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    product = live_shop.stock(shop, name=evil, reorder_below=1000)
    order = live_shop.placed(shop, {product: 1})["orderId"]
    visit(page, shop)
    shows(page, evil, f"[data-product='{product}'] h3")
    visit(page, shop, f"#/orders/{order}")
    shows(page, evil, "#placed")
    visit(page, shop, "#/orders/%3Cimg%20src=x%20onerror=document.title='owned'%3E")
    page.wait_for_selector("#notice")
    sign_in(page, shop)
    shows(page, evil, "#inventory")

    assert "owned" not in page.title()
    assert page.locator("main img, main script").count() == 0


def test_both_pages_refuse_inline_scripts(page: Page, shop: Shop, problems: list[str]) -> None:
    for url in (f"{shop.url}/index.html", shop.operators_url):
        page.goto(url)
        page.wait_for_selector("#view > *")
        for attempt in (
            "document.body.innerHTML = '<b>x</b>'",
            "document.querySelector('a').setAttribute('onclick', 'document.title = 1')",
            "document.head.append(Object.assign(document.createElement('script'), {text: '1'}))",
        ):
            refused = f"(() => {{ try {{ {attempt}; return false }} catch {{ return true }} }})()"
            assert page.evaluate(refused), attempt
        assert any("Trusted" in problem for problem in problems)
        problems.clear()


def test_an_operator_signs_in_sees_the_figures_ships_and_receives(
    page: Page, shop: Shop, problems: list[str]
) -> None:
    product = live_shop.stock(shop, name="Barbed Wire", qty=60, reorder_below=50, reorder_qty=200)
    order = paid(shop, {product: 20})
    wait_for("the vendor order", lambda: live_shop.vendor_orders(shop, product))
    wait_for("the count", lambda: live_shop.shelf(shop, product)["ordered"], lambda n: n == 20)
    page.goto(shop.operators_url)
    shows(page, "Inventory, orders and vendor orders are shown to who has an account.")
    sign_in(page, shop)
    shows(page, "Barbed Wire", "#inventory")

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
        lambda: {name: page.inner_text(f"#{name}") for name in figures()},
        lambda seen: seen == figures(),
    )

    # The order is the newest, and the list begins with the oldest.
    while not page.locator(f"#ship-{order}").count():
        seen = page.inner_text("#orders")
        page.click("#orders-next")
        expect(page.locator("#orders")).not_to_have_text(seen, use_inner_text=True)
    assert "20 × Barbed Wire" in page.inner_text(f"[data-order='{order}']")
    page.click(f"#ship-{order}")
    wait_for(
        "the order shipped", lambda: shop.customers.get("orders", order).body["status"] == "Shipped"
    )
    page.click(f"#receive-{product}-0")
    wait_for("the stock", lambda: live_shop.left(shop, product), lambda seen: seen == 240)
    shows(page, "240", f"#inventory [data-product='{product}']")
    assert problems == []
    # Tokens are in the tab's storage alone, and the code of the sign-in is not in the URL any more.
    assert page.evaluate("location.search") == ""
    assert "operator-token" not in page.evaluate("JSON.stringify(localStorage)")

    page.click("#sign-out")
    shows(page, "are shown to who has an account")
    assert page.evaluate("sessionStorage.length") == 0


def test_a_sign_in_that_another_tab_began_is_refused(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.operators_url}?code=somebody-elses&state=unknown")
    shows(page, "was not begun in this tab")
    assert page.evaluate("sessionStorage.length") == 0


def test_an_operator_with_a_refused_token_is_asked_to_sign_in(page: Page, shop: Shop) -> None:
    page.goto(shop.operators_url)
    shows(page, "Sign in", "#view")
    bad = live_shop.refused(shop.operator.token)
    page.evaluate(f"sessionStorage.setItem('operator-token', '{bad}')")
    page.goto("about:blank")
    page.goto(shop.operators_url)
    shows(page, "Please sign in again")
    page.wait_for_selector("#sign-in")


def test_text_from_the_sign_in_links_query_is_never_shown(page: Page, shop: Shop) -> None:
    for query in ("error=x&error_description=Call%20555", "error=Call%20555&state=unknown"):
        page.goto("about:blank")
        page.goto(f"{shop.operators_url}?{query}")
        shows(page, "was not begun in this tab")
        assert "555" not in page.inner_text("body")
    # Also if this tab has begun a sign-in.
    pending = "JSON.stringify({verifier: 'v', state: 's'})"
    for error, message in (("access_denied", "was refused"), ("Call%20555", "did not succeed")):
        page.evaluate(f"sessionStorage.setItem('operator-sign-in', {pending})")
        page.goto("about:blank")
        page.goto(f"{shop.operators_url}?error={error}&error_description=Call%20555&state=s")
        shows(page, message)
        assert "555" not in page.inner_text("body")


# Replaces fetch for the addresses that contain MATCH; ACTION is the body of the replacement.
BETWEEN = """(() => {
    const real = window.fetch;
    window.fetch = async (address, request) => {
        if (!String(address).includes(MATCH)) return real(address, request);
        ACTION
    };
})()"""


def replace_fetch(page: Page, match: str, action: str) -> None:
    page.evaluate(BETWEEN.replace("MATCH", json.dumps(match)).replace("ACTION", action))


def test_a_late_answer_does_not_replace_a_newer_view(page: Page, shop: Shop) -> None:
    live_shop.stock(shop, name="Torch")
    visit(page, shop)
    shows(page, "Torch")
    replace_fetch(
        page,
        "/customers/",
        "const answer = await real(address, request);"
        "await new Promise(resolve => { window.release = resolve }); return answer;",
    )
    page.evaluate("location.hash = '#/orders'")
    wait_for("the orders' answer", lambda: page.evaluate("!!window.release"))
    page.evaluate("location.hash = '#/'")
    shows(page, "Everything you need", "h1")
    page.evaluate("window.release()")
    page.wait_for_timeout(300)
    assert "Everything you need" in page.inner_text("h1")
    assert page.is_visible(".shop")


def test_a_basket_changed_after_a_lost_answer_makes_no_second_order(page: Page, shop: Shop) -> None:
    one, two = live_shop.stock(shop, qty=10), live_shop.stock(shop, name="Rope", qty=10)
    visit(page, shop)
    put_into_basket(page, one, 4)
    # The shop makes the order, and the answer is lost.
    replace_fetch(page, "/orders", "await real(address, request); throw new TypeError('lost');")
    page.click("#order")
    shows(page, "does not answer", "#notice")
    assert live_shop.left(shop, one) == 6
    visit(page, shop)
    put_into_basket(page, two, 3)
    page.click("#order")
    shows(page, "was placed after all", "#notice")

    number = page.inner_text("#number")
    lines = shop.customers.get("orders", number).body["lines"]
    assert [(each["productId"], each["qty"]) for each in lines] == [(one, 4)]
    assert (live_shop.left(shop, one), live_shop.left(shop, two)) == (6, 10)
    # The product that was not ordered is still in the basket, and makes an order of its own.
    visit(page, shop)
    shows(page, "Rope", ".lines")
    assert page.locator(".lines li").count() == 1
    page.click("#order")
    shows(page, "Your order is placed")
    assert (live_shop.left(shop, one), live_shop.left(shop, two)) == (6, 7)


def test_a_basket_changed_after_a_lost_request_is_one_order(page: Page, shop: Shop) -> None:
    one, two = live_shop.stock(shop, qty=10), live_shop.stock(shop, qty=10)
    visit(page, shop)
    put_into_basket(page, one, 4)
    replace_fetch(page, "/orders", "throw new TypeError('lost');")
    page.click("#order")
    shows(page, "does not answer", "#notice")
    visit(page, shop)
    put_into_basket(page, two, 3)
    page.click("#order")
    shows(page, "Your order is placed")
    assert (live_shop.left(shop, one), live_shop.left(shop, two)) == (6, 7)


def test_an_invalid_quantity_is_refused_with_a_message(page: Page, shop: Shop) -> None:
    product = live_shop.stock(shop, name="Blanket", qty=60)
    visit(page, shop)
    put_into_basket(page, product, 2)
    quantity = f"[data-line='{product}'] input"
    for text in ("1.5", "-3", "", "0", "101"):
        page.fill(quantity, text)
        page.dispatch_event(quantity, "change")
        shows(page, "Blanket: whole numbers from 1 to 100", "#notice")
        assert page.input_value(quantity) == "2"
        page.evaluate("document.querySelector('#notice').textContent = ''")
    put_into_basket(page, product, 59)
    shows(page, "Blanket: 60 left, and 2 of them in your basket.", "#notice")
    page.click(f"[data-line='{product}'] button")
    shows(page, "Still empty")
    put_into_basket(page, product, 61)
    shows(page, "Blanket: 60 left.", "#notice")


def test_a_basket_that_another_tab_has_ordered_is_shown_as_empty(page: Page, shop: Shop) -> None:
    product = live_shop.stock(shop, name="Blanket")
    visit(page, shop)
    put_into_basket(page, product, 2)
    page.wait_for_selector("#order")
    # A tab gets no storage event for its own change.
    page.evaluate("localStorage.removeItem('basket')")
    page.click("#order")
    shows(page, "The basket is empty: it was ordered in another tab.", "#notice")
    shows(page, "Still empty")
    put_into_basket(page, product, 2)
    page.wait_for_selector("#order")
    page.evaluate("localStorage.removeItem('basket')")
    page.evaluate("window.dispatchEvent(new StorageEvent('storage', {key: 'basket'}))")
    shows(page, "Still empty")


def test_a_truncated_order_address_shows_no_such_order(page: Page, shop: Shop) -> None:
    visit(page, shop, "#/orders/%")
    shows(page, "There is no such order", "#notice")


def test_the_stock_is_refreshed_when_the_page_becomes_visible(page: Page, shop: Shop) -> None:
    product = live_shop.stock(shop, name="Canned Peaches", qty=12)
    visit(page, shop)
    shows(page, "12 in stock", f"[data-product='{product}']")
    page.fill(f"#add-{product}", "7")
    live_shop.placed(shop, {product: 4})
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    shows(page, "only 8 left", f"[data-product='{product}']")
    assert page.input_value(f"#add-{product}") == "7"
    assert re.search(r"stock as of \d\d:\d\d:\d\d", page.inner_text("#as-of"))


def test_outdated_figures_are_marked_until_the_shop_answers_again(page: Page, shop: Shop) -> None:
    sign_in(page, shop)
    replace_fetch(
        page,
        "/admin/",
        "if (window.away) throw new TypeError('away'); return real(address, request);",
    )
    page.evaluate("window.away = true")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    shows(page, "not up to date", "#as-of")
    assert "may be out of date" in page.inner_text("#notice")
    page.evaluate("window.away = false")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#as-of")).not_to_contain_text("not")
    assert page.is_hidden("#notice")


def test_an_expired_session_asks_to_sign_in_and_then_returns_to_the_same_list(
    page: Page, shop: Shop
) -> None:
    live_shop.shipped(shop, live_shop.placed(shop, {live_shop.stock(shop): 1})["orderId"])
    sign_in(page, shop)
    page.click("#orders-Shipped")
    expect(page.locator("#orders-Shipped")).to_have_attribute("aria-pressed", "true")
    old = live_shop.refused(shop.operator.token)
    page.evaluate(f"sessionStorage.setItem('operator-token', '{old}')")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    shows(page, "Your sign-in has ended", "#notice")
    assert page.inner_text("#operator") == ""
    assert page.locator("table, .figures").count() == 0
    page.click("#sign-in")
    fill_in_sign_in(page, shop)
    expect(page.locator("#orders-Shipped")).to_have_attribute("aria-pressed", "true")
    assert shop.operator.email in page.inner_text("#operator")


def test_operators_see_shipped_orders_page_by_page_newest_first(page: Page, shop: Shop) -> None:
    one, two = live_shop.stock(shop, name="Torch"), live_shop.stock(shop, name="Matches")
    orders = [paid(shop, {one: each, two: 1}) for each in range(1, 12)]
    for order in reversed(orders):
        live_shop.shipped(shop, order)
    sign_in(page, shop)
    page.click("#orders-Shipped")
    first = f"#orders tbody tr:first-child[data-order='{orders[0]}']"
    page.wait_for_selector(first)
    assert "1 × Torch" in page.inner_text(first)
    assert "1 × Matches" in page.inner_text(first)
    shown = "[...document.querySelectorAll('#orders tbody tr')].map(row => row.dataset.order)"
    assert page.evaluate(shown) == orders[:10]
    page.click("#orders-next")
    shows(page, "Page 2")
    assert page.evaluate(shown)[0] == orders[10]
    page.click("#orders-back")
    page.wait_for_selector(first)


def test_an_operator_marks_an_order_as_paid_and_cancels_a_vendor_order(
    page: Page, shop: Shop
) -> None:
    product = live_shop.stock(shop, qty=5, reorder_below=5)
    order = live_shop.placed(shop, {product: 1})["orderId"]
    wait_for("the vendor order", lambda: live_shop.vendor_orders(shop, product))
    sign_in(page, shop)
    page.click("#orders-Created")
    while not page.locator(f"#pay-{order}").count():
        seen = page.inner_text("body")
        expect(page.locator("body")).not_to_have_text(seen, use_inner_text=True)
        if not page.locator(f"#pay-{order}").count():
            page.evaluate("document.querySelector('#orders-next:enabled')?.click()")
    page.click(f"#pay-{order}")
    wait_for("paid", lambda: shop.customers.get("orders", order).body["status"] == "Paid")
    page.click(f"#cancel-{product}-0")
    wait_for("cancelled", lambda: live_shop.vendor_orders(shop, product, "Cancelled"))
    assert live_shop.left(shop, product) == 4


@pytest.mark.parametrize("width", [375, 1280])
def test_every_control_has_a_name_and_every_word_fits_its_line(
    page: Page, shop: Shop, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    live_shop.stock(shop, name="ThrowFlame Flamethrower", qty=5)
    product = live_shop.stock(shop, name="Zombie Juicery Energy Drink", qty=5)
    visit(page, shop)
    put_into_basket(page, product, 1)
    page.wait_for_selector("#order")

    def check(name: str) -> None:
        page.screenshot(path=PICTURES / f"{name}-{width}.png", full_page=True)
        assert unnamed_controls(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert broken_words(page) == []

    check("shop")
    page.click("#order")
    shows(page, "Your order is placed")
    check("order")
    visit(page, shop, "#/orders")
    shows(page, "My orders", "h1")
    check("orders")
    sign_in(page, shop)
    check("operators")


def test_on_a_phone_the_effect_of_a_click_and_the_next_step_are_in_view(
    page: Page, shop: Shop
) -> None:
    product = live_shop.stock(shop, name="Canned Peaches", qty=50, price=250)
    page.set_viewport_size({"width": 375, "height": 667})
    visit(page, shop)
    shows(page, "Canned Peaches")
    # Scroll down to the product.
    scroll_to(page, f"#add-{product}")
    put_into_basket(page, product, 2)
    shows(page, "2 × Canned Peaches put into the basket.", "#notice")
    is_in_view(page, "#notice")
    assert page.inner_text("#basket-bar span") == "2 units, $5.00"
    is_in_view(page, "#basket-bar button")
    page.click("#basket-bar button")
    wait_for(
        "the basket",
        lambda: page.evaluate(
            "document.querySelector('#basket').getBoundingClientRect().top < 400"
        ),
    )
    is_in_view(page, "#basket")
    # And back to the product.
    shows(page, "Keep shopping", "#basket-bar")
    page.click("#basket-bar button")
    shows(page, "To the basket", "#basket-bar")
    is_in_view(page, f"#add-{product}")
    page.click("#basket-bar button")
    shows(page, "Keep shopping", "#basket-bar")
    scroll_to(page, "#order")
    is_in_view(page, "#order")
    page.click("#order")
    shows(page, "Your order is placed", "#notice")
    order = page.inner_text("#number")
    is_in_view(page, "#notice")

    visit(page, shop, "#/orders")
    row = f"[data-order='{order}']"
    for column in ("Status", "Total"):
        scroll_to(page, f"{row} [data-column='{column}'] span")
        is_in_view(page, f"{row} [data-column='{column}'] span")
    assert "not paid yet" in page.inner_text(row)
    assert "$5.00" in page.inner_text(row)

    assert shop.operators.post("admin", "orders", order, "pay").status == 200
    sign_in(page, shop)
    while not page.locator(f"#ship-{order}").count():
        seen = page.inner_text("#orders")
        page.click("#orders-next")
        expect(page.locator("#orders")).not_to_have_text(seen, use_inner_text=True)
    scroll_to(page, f"#ship-{order}")
    is_in_view(page, f"#ship-{order}")
    scroll_to(page, f"{row} .packing")
    is_in_view(page, f"{row} .packing li")


def test_the_sources_of_the_pages_contain_no_foreign_url() -> None:
    """Pages, scripts and styles have no URLs but those of the settings."""
    site = ROOT / "examples/shop/site"
    for file in (each for each in site.rglob("*") if each.suffix in (".html", ".js", ".css")):
        code = re.sub(r"^\s*//.*|/\*.*?\*/", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)
        assert not re.search(r"https?://", code), file
