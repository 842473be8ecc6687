// The shop window: products and basket (#/), my orders (#/orders), one order (#/orders/<id>).

import { Api, settings } from "./api.js";
import { byId, element, replace } from "./dom.js";
import { count, moment, money, picture, SHIPPING } from "./format.js";
import * as visitor from "./visitor.js";

const LOW = 10;
const MOST_OF_ONE = 1000; // the API's limit of a line
const view = byId("view");
let api;
let products = [];

function notice(text, wrong = false) {
  const shown = byId("notice");
  shown.hidden = !text;
  shown.className = wrong ? "notice wrong" : "notice";
  shown.textContent = text ?? "";
}

// -- products and basket

async function showShop(shippingOption) {
  products = await api.all("/products", "products");
  drawShop(shippingOption);
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
      element("p", {}, `${count(products.length, "article")} on the shelves`),
    ),
    element(
      "div",
      { class: "shop" },
      element("ul", { class: "products", "aria-label": "Products" }, products.map(card)),
      element("div", { class: "stack" }, basketPanel(shippingOption)),
    ),
  );
}

function card(product) {
  const { productId, name, qty } = product;
  const field = `add-${productId}`;
  const add = (event) => {
    event.preventDefault();
    const wanted = byId(field).valueAsNumber;
    visitor.setQuantity(productId, Math.min((visitor.basket().get(productId) ?? 0) + wanted, MOST_OF_ONE));
    notice(`${wanted} × ${name} put into the basket.`);
    drawShop(chosenShipping());
    byId(field).focus();
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

function basketPanel(shippingOption) {
  const lines = [...visitor.basket()]
    .map(([productId, qty]) => ({ product: products.find((each) => each.productId === productId), productId, qty }));
  // What the shop no longer has cannot be ordered.
  for (const gone of lines.filter((line) => !line.product)) visitor.setQuantity(gone.productId, 0);
  const ordered = lines.filter((line) => line.product);
  if (ordered.length === 0) {
    return element(
      "section",
      { class: "panel", "aria-labelledby": "basket" },
      element("h2", { id: "basket" }, "Basket"),
      element("p", { class: "muted" }, "Still empty. They are slow, but they do not stop."),
    );
  }
  const total = ordered.reduce((sum, { product, qty }) => sum + product.priceCents * qty, 0);
  return element(
    "section",
    { class: "panel stack", "aria-labelledby": "basket" },
    element("h2", { id: "basket" }, "Basket"),
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
      element("div", { class: "total" }, element("span", {}, "Total"), element("span", { id: "total" }, money(total))),
      element("button", { id: "order", class: "wide" }, "Place the order"),
    ),
  );
}

function basketLine({ product, qty }) {
  const { productId, name, priceCents } = product;
  const change = (event) => {
    const wanted = event.target.valueAsNumber;
    visitor.setQuantity(productId, Number.isInteger(wanted) ? Math.min(wanted, MOST_OF_ONE) : 0);
    drawShop(chosenShipping());
  };
  return element(
    "li",
    {},
    element("span", {}, name),
    element("input", {
      type: "number",
      min: "0",
      max: String(MOST_OF_ONE),
      value: String(qty),
      "aria-label": `How many of ${name} in the basket (0 takes it out)`,
      change,
    }),
    element("span", { class: "amount" }, money(priceCents * qty)),
  );
}

async function order(event) {
  event.preventDefault();
  const button = byId("order");
  button.disabled = true;
  try {
    const placed = await api.post("/orders", visitor.checkout(chosenShipping()));
    visitor.placed();
    notice("Your order is placed. Stay quiet and wait.");
    location.hash = `#/orders/${encodeURIComponent(placed.orderId)}`;
  } catch (error) {
    notice(error.message, true);
    button.disabled = false;
    if (error.code === "OutOfStock" || error.code === "UnknownProduct") {
      await showShop(chosenShipping());
    }
  }
}

// -- orders

async function showOrders() {
  const orders = await api.all(`/customers/${visitor.customerId()}/orders`, "orders");
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
    { class: "panel scroll" },
    element(
      "table",
      { id: "orders" },
      element("caption", {}, "The newest first"),
      headings("Order", "Placed", "Status", "Articles", "Total"),
      element(
        "tbody",
        {},
        orders.map((each) =>
          element(
            "tr",
            {},
            element("td", {}, element("a", { href: `#/orders/${encodeURIComponent(each.orderId)}` }, each.orderId)),
            element("td", {}, moment(each.createdAt)),
            element("td", {}, status(each.status)),
            element("td", { class: "number" }, each.lines),
            element("td", { class: "number" }, money(each.totalCents)),
          ),
        ),
      ),
    ),
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

async function showOrder(orderId) {
  const found = await api.get(`/orders/${encodeURIComponent(orderId)}`);
  replace(
    view,
    element("div", { class: "lead" }, element("h1", {}, "Your order"), status(found.status)),
    element(
      "section",
      { class: "panel scroll", id: "placed" },
      element(
        "table",
        {},
        element(
          "caption",
          {},
          "Number ",
          element("code", { id: "number" }, found.orderId),
          `, placed ${moment(found.createdAt)}, ${SHIPPING[found.shippingOption] ?? found.shippingOption}`,
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
              element("td", {}, line.name),
              element("td", { class: "number" }, line.qty),
              element("td", { class: "number" }, money(line.priceCents)),
              element("td", { class: "number" }, money(line.priceCents * line.qty)),
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

function headings(...names) {
  const number = new Set(["Articles", "Total", "Quantity", "Price", "Amount"]);
  const cells = names.map((name) => element("th", { scope: "col", class: number.has(name) && "number" }, name));
  return element("thead", {}, element("tr", {}, cells));
}

function status(text) {
  return element("span", { class: "tag" }, text === "Created" ? "being packed" : text.toLowerCase());
}

// -- which view

async function route() {
  const [, first, second] = location.hash.split("/");
  for (const link of document.querySelectorAll("nav a[href^='#']")) {
    const here = link.getAttribute("href") === (first === "orders" ? "#/orders" : "#/");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    if (first !== "orders") await showShop();
    else if (second) await showOrder(decodeURIComponent(second));
    else await showOrders();
  } catch (error) {
    replace(view, element("p", {}, element("a", { href: "#/" }, "Back to the shelves")));
    notice(error.message, true);
  }
}

window.addEventListener("hashchange", async () => {
  if (!location.hash.startsWith("#/orders/")) notice(null);
  await route();
  byId("main").focus();
});

try {
  api = new Api((await settings()).apiUrl);
  await route();
} catch (error) {
  notice(error.message, true);
}
