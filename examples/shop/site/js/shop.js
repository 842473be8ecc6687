// The shop window: products and basket (#/), my orders (#/orders), one order (#/orders/<id>).

import { Api, ApiError, settings } from "./api.js";
import { byId, element, replace } from "./dom.js";
import { count, moment, money, picture, SHIPPING, time } from "./format.js";
import * as visitor from "./visitor.js";

const LOW = 10;
const MOST_OF_ONE = 100; // the API's limit of a line
const STOCK_MILLISECONDS = 15000;
const view = byId("view");
let api;
let products = [];
let readAt = new Date();
// Of several views that are being fetched, the newest is shown.
let newest = 0;
// On a narrow screen: whether the basket is looked at, and where among the products somebody was before.
let atBasket = false;
let placeBefore = 0;
const basketWatch = new IntersectionObserver(basketSeen, { rootMargin: "0px 0px -40% 0px" });

function notice(text, wrong = false) {
  const shown = byId("notice");
  shown.hidden = !text;
  shown.className = wrong ? "notice wrong" : "notice";
  shown.textContent = text ?? "";
}

// -- products and basket

async function readProducts() {
  products = await api.all("/products", "products");
  readAt = new Date();
}

async function loadShop() {
  await readProducts();
  return () => drawShop();
}

function isShopShown() {
  return document.querySelector(".shop") !== null;
}

/** What is chosen; nothing where the basket is empty. */
function chosenShipping() {
  return document.getElementById("shipping")?.value;
}

function drawShop(shippingOption = "standard") {
  replace(
    view,
    element(
      "div",
      { class: "lead" },
      element("h1", {}, "Everything you need after everything ended"),
      element("p", { id: "as-of" }, asOf()),
    ),
    element(
      "div",
      { class: "shop" },
      element("ul", { class: "products", "aria-label": "Products" }, products.map(card)),
      element("div", { class: "stack", id: "checkout" }, basketPanel(shippingOption)),
    ),
    basketBar(),
  );
  basketWatch.disconnect();
  basketWatch.observe(byId("checkout"));
}

function basketSeen(changes) {
  atBasket = changes.at(-1).isIntersecting;
  if (isShopShown()) byId("basket-bar").replaceWith(basketBar());
}

function asOf() {
  return `${count(products.length, "article")}; stock as of ${time(readAt)}`;
}

/** Draw the basket again, and leave the products as they are: somebody may be typing there. */
function drawBasket() {
  replace(byId("checkout"), basketPanel(chosenShipping()));
  byId("basket-bar").replaceWith(basketBar());
}

/** Bring the stock up to date while the page is looked at. */
async function refreshStock() {
  if (document.hidden || !isShopShown()) return;
  const known = products.map((each) => each.productId).join();
  try {
    await readProducts();
  } catch {
    return; // the page says how old its stock is
  }
  if (!isShopShown()) return;
  if (products.map((each) => each.productId).join() !== known) {
    drawShop(chosenShipping());
    return;
  }
  byId("as-of").textContent = asOf();
  for (const { productId, qty } of products) {
    const shown = document.querySelector(`[data-product="${productId}"]`);
    shown.querySelector(".tag").replaceWith(stock(qty));
    for (const control of shown.querySelectorAll("input, button")) control.disabled = qty === 0;
  }
}

function card(product) {
  const { productId, name, qty } = product;
  const field = `add-${productId}`;
  const add = (event) => {
    event.preventDefault();
    const wanted = byId(field).valueAsNumber;
    const before = visitor.basket().get(productId) ?? 0;
    // The stock may have been read again since this card was drawn.
    const left = products.find((each) => each.productId === productId)?.qty ?? 0;
    const most = Math.min(left, MOST_OF_ONE);
    if (before + wanted > most) {
      const inBasket = before ? `, and ${before} of them in your basket` : "";
      const why = most === left ? `${name}: ${left} left${inBasket}.` : `${name}: at most ${MOST_OF_ONE} in an order${inBasket}.`;
      notice(why, true);
      return;
    }
    visitor.setQuantity(productId, before + wanted);
    notice(`${wanted} × ${name} put into the basket.`);
    drawBasket();
  };
  return element(
    "li",
    { class: "product", "data-product": productId },
    element("div", { class: `picture ${picture(productId)}` }),
    element("h3", {}, name),
    element("p", {}, product.description),
    element("div", { class: "price" }, money(product.priceCents), stock(qty)),
    element(
      "form",
      { class: "row", submit: add },
      element("input", {
        id: field,
        type: "number",
        min: "1",
        max: String(MOST_OF_ONE),
        step: "1",
        value: "1",
        required: true,
        class: "quantity",
        "aria-label": `How many of ${name}`,
        disabled: qty === 0,
      }),
      element("button", { disabled: qty === 0, "aria-label": `Put ${name} into the basket` }, "Add"),
    ),
  );
}

function stock(qty) {
  if (qty === 0) return element("span", { class: "tag low" }, "sold out");
  if (qty <= LOW) return element("span", { class: "tag low" }, `only ${qty} left`);
  return element("span", { class: "tag" }, `${qty.toLocaleString("en-US")} in stock`);
}

/** The basket's lines of which the shop has the product. */
function orderedLines() {
  return [...visitor.basket()]
    .map(([productId, qty]) => ({ product: products.find((each) => each.productId === productId), qty }))
    .filter((line) => line.product);
}

function totalOf(lines) {
  return lines.reduce((sum, { product, qty }) => sum + product.priceCents * qty, 0);
}

function basketPanel(shippingOption) {
  // What the shop no longer has cannot be ordered.
  const known = new Set(products.map((each) => each.productId));
  for (const gone of [...visitor.basket().keys()].filter((id) => !known.has(id))) visitor.setQuantity(gone, 0);
  const ordered = orderedLines();
  if (ordered.length === 0) {
    return element(
      "section",
      { class: "panel", "aria-labelledby": "basket" },
      element("h2", { id: "basket", tabindex: "-1" }, "Basket"),
      element("p", { class: "muted" }, "Still empty. They are slow, but they do not stop."),
    );
  }
  return element(
    "section",
    { class: "panel stack", "aria-labelledby": "basket" },
    element("h2", { id: "basket", tabindex: "-1" }, "Basket"),
    element("ul", { class: "lines" }, ordered.map(basketLine)),
    element(
      "form",
      { class: "stack", submit: order },
      element(
        "label",
        {},
        "Shipping",
        element(
          "select",
          { id: "shipping" },
          Object.entries(SHIPPING).map(([value, text]) =>
            element("option", { value, selected: value === shippingOption }, text),
          ),
        ),
      ),
      element(
        "div",
        { class: "total" },
        element("span", {}, "Total"),
        element("span", { id: "total" }, money(totalOf(ordered))),
      ),
      element("button", { id: "order", class: "wide" }, "Place the order"),
    ),
  );
}

/** On a narrow screen the basket is below all products: this says what is in it, leads there, and back. */
function basketBar() {
  const lines = orderedLines();
  const quantity = lines.reduce((sum, { qty }) => sum + qty, 0);
  const show = () => {
    placeBefore = scrollY;
    notice(null);
    byId("basket").scrollIntoView();
    byId("basket").focus({ preventScroll: true });
  };
  const back = () => scrollTo({ top: placeBefore });
  return element(
    "div",
    { id: "basket-bar", hidden: lines.length === 0 },
    element("span", {}, `${count(quantity, "unit")}, ${money(totalOf(lines))}`),
    atBasket
      ? element("button", { class: "quiet", click: back }, "Keep shopping")
      : element("button", { click: show }, "To the basket"),
  );
}

function basketLine({ product, qty }) {
  const { productId, name, priceCents } = product;
  const change = (event) => {
    const { validity, valueAsNumber } = event.target;
    if (!validity.valid || Number.isNaN(valueAsNumber)) {
      event.target.value = String(qty);
      notice(`${name}: whole numbers from 1 to ${MOST_OF_ONE}. There are still ${qty} in the basket.`, true);
      return;
    }
    visitor.setQuantity(productId, valueAsNumber);
    notice(null);
    drawBasket();
  };
  const remove = () => {
    visitor.setQuantity(productId, 0);
    notice(`${name} taken out of the basket.`);
    drawBasket();
    byId("basket").focus({ preventScroll: true });
  };
  return element(
    "li",
    { "data-line": productId },
    element("span", { class: "line-name" }, name),
    element("span", { class: "amount" }, money(priceCents * qty)),
    element("input", {
      type: "number",
      min: "1",
      max: String(MOST_OF_ONE),
      step: "1",
      value: String(qty),
      required: true,
      "aria-label": `How many of ${name} in the basket`,
      change,
    }),
    element("button", { class: "quiet slim", "aria-label": `Take ${name} out of the basket`, click: remove }, "Remove"),
    qty > product.qty && element("span", { class: "tag low" }, product.qty ? `only ${product.qty} left` : "sold out"),
  );
}

async function order(event) {
  event.preventDefault();
  if (visitor.basket().size === 0) {
    notice("The basket is empty: it was ordered in another tab. You find it under “My orders”.", true);
    drawBasket();
    return;
  }
  const button = byId("order");
  button.disabled = true;
  const request = visitor.checkout(chosenShipping());
  try {
    arrive(await api.post("/orders", request), "Your order is placed. Stay quiet and wait.");
  } catch (error) {
    if (error.code === "ClientTokenReused") await arriveAtEarlier(request);
    else await explain(error);
  } finally {
    button.disabled = false;
  }
}

/** Show an order that is placed. */
function arrive(placed, text) {
  visitor.placed(placed);
  notice(text);
  location.hash = `#/orders/${encodeURIComponent(placed.orderId)}`;
}

/** The token has an order already: one that was sent before the basket was changed, and whose answer was lost. */
async function arriveAtEarlier(request) {
  for (const earlier of visitor.sentBefore(request)) {
    try {
      const placed = await api.post("/orders", earlier);
      arrive(
        placed,
        "Your order from before was placed after all: here it is. What you have put into the basket since is still there, and not ordered yet.",
      );
      return;
    } catch (error) {
      if (error.code === "ClientTokenReused") continue; // another one of them was it
      await explain(error);
      return;
    }
  }
  visitor.forgetCheckout();
  notice("An order of this basket was placed already: look under “My orders” before you place another one.", true);
}

async function explain(error) {
  if (!(error instanceof ApiError)) throw error;
  notice(error.message, true);
  if (error.code === "OrderGone") visitor.forgetCheckout();
  if (error.code !== "OutOfStock" && error.code !== "UnknownProduct") return;
  await readProducts();
  if (isShopShown()) drawShop(chosenShipping());
}

// -- orders

async function loadOrders() {
  const orders = await api.all(`/customers/${visitor.customerId()}/orders`, "orders");
  return () =>
    replace(
      view,
      element(
        "div",
        { class: "lead" },
        element("h1", {}, "My orders"),
        element("p", {}, "Those of this browser: the shop knows no names."),
      ),
      element("div", { class: "stack" }, ordersPanel(orders), lookUp()),
    );
}

function ordersPanel(orders) {
  if (orders.length === 0) {
    return element("section", { class: "panel" }, element("p", { class: "muted" }, "No order yet."));
  }
  return element(
    "section",
    { class: "panel" },
    element(
      "table",
      { id: "orders", class: "cards" },
      element("caption", {}, "The newest first"),
      headings("Order", "Placed", "Status", "Articles", "Total"),
      element("tbody", {}, orders.map(orderRow)),
    ),
  );
}

function orderRow({ orderId, createdAt, status: state, lines, totalCents }) {
  const link = element("a", { href: `#/orders/${encodeURIComponent(orderId)}`, title: orderId }, `${orderId.slice(0, 8)}…`);
  return element(
    "tr",
    { "data-order": orderId },
    cell("Order", {}, link),
    cell("Placed", {}, moment(createdAt)),
    cell("Status", {}, status(state)),
    cell("Articles", { class: "number" }, lines),
    cell("Total", { class: "number" }, money(totalCents)),
  );
}

function lookUp() {
  const find = (event) => {
    event.preventDefault();
    location.hash = `#/orders/${encodeURIComponent(byId("order-id").value.trim())}`;
  };
  return element(
    "form",
    { class: "panel row", submit: find },
    element("label", {}, "Another order, by its number", element("input", { id: "order-id", required: true })),
    element("button", { class: "quiet" }, "Show its status"),
  );
}

async function loadOrder(orderId) {
  const found = await api.get(`/orders/${encodeURIComponent(orderId)}`);
  return () => drawOrder(found);
}

function drawOrder(found) {
  replace(
    view,
    element("div", { class: "lead" }, element("h1", {}, "Your order"), status(found.status)),
    element(
      "section",
      { class: "panel", id: "placed" },
      element(
        "table",
        { class: "cards" },
        element(
          "caption",
          {},
          "Number ",
          element("code", { id: "number" }, found.orderId),
          `, placed ${moment(found.createdAt)}, ${SHIPPING[found.shippingOption] ?? found.shippingOption}`,
          found.status === "Created" && found.payBy && `, to be paid by ${moment(found.payBy)}`,
          found.shippedAt && `, shipped ${moment(found.shippedAt)}`,
        ),
        headings("Article", "Quantity", "Price", "Amount"),
        element(
          "tbody",
          {},
          found.lines.map((line) =>
            element(
              "tr",
              {},
              cell("Article", {}, line.name),
              cell("Quantity", { class: "number" }, line.qty),
              cell("Price", { class: "number" }, money(line.priceCents)),
              cell("Amount", { class: "number" }, money(line.priceCents * line.qty)),
            ),
          ),
        ),
      ),
      element(
        "div",
        { class: "total" },
        element("span", {}, "Total"),
        element("span", {}, money(found.totalCents)),
      ),
    ),
    element("p", {}, element("a", { href: "#/orders" }, "All my orders")),
  );
}

/** A cell; on a narrow screen, where a row is a block of its own, it shows the column's name. */
function cell(column, attributes, ...children) {
  return element("td", { ...attributes, "data-column": column }, element("span", {}, children));
}

function headings(...names) {
  const number = new Set(["Articles", "Total", "Quantity", "Price", "Amount"]);
  const cells = names.map((name) => element("th", { scope: "col", class: number.has(name) && "number" }, name));
  return element("thead", {}, element("tr", {}, cells));
}

const STATES = {
  Created: "not paid yet",
  Paid: "being packed",
  Shipped: "shipped",
  Expired: "expired: it was not paid in time",
};

function status(state) {
  return element("span", { class: state === "Expired" ? "tag low" : "tag" }, STATES[state] ?? state);
}

// -- which view

async function route() {
  const mine = ++newest;
  const [, first, second] = location.hash.split("/");
  for (const link of document.querySelectorAll("nav a[href^='#']")) {
    const here = link.getAttribute("href") === (first === "orders" ? "#/orders" : "#/");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    const draw = await load(first, second);
    if (mine === newest) draw();
  } catch (error) {
    if (mine !== newest) return;
    replace(view, element("p", {}, element("a", { href: "#/" }, "Back to the shelves")));
    notice(error.message, true);
  }
}

/** Fetch what a view shows, and return what draws it. */
function load(first, second) {
  if (first !== "orders") return loadShop();
  if (!second) return loadOrders();
  return loadOrder(decoded(second));
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error("There is no such order: its number in the address is not complete.");
  }
}

window.addEventListener("hashchange", async () => {
  if (!location.hash.startsWith("#/orders/")) notice(null);
  await route();
  byId("main").focus();
});

visitor.onChangeElsewhere(() => {
  if (isShopShown()) drawBasket();
});

try {
  api = new Api((await settings()).apiUrl);
  await route();
  setInterval(refreshStock, STOCK_MILLISECONDS);
  document.addEventListener("visibilitychange", refreshStock);
} catch (error) {
  notice(error.message, true);
}
