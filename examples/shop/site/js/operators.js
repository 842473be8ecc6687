// The operators' page: what is on the shelves, what is to be shipped, what is on order, and how the shop does.

import { Api, settings } from "./api.js";
import { byId, element, replace } from "./dom.js";
import { moment, money, time } from "./format.js";
import * as signIn from "./sign-in.js";

const REFRESH_MILLISECONDS = 5000;
const PAGE = 10;
const PLACE = "operator-place";
const view = byId("view");
let config;
let api;
/**
 * Where the operator is: which orders and vendor orders are listed, and the cursors of the pages up to the one that is
 * shown. It outlives the sign-in page.
 */
const place = {
  orders: { status: "Paid", cursors: [null] },
  vendorOrders: { status: "Open", cursors: [null] },
  ...JSON.parse(sessionStorage.getItem(PLACE) ?? "{}"),
};
// An order's lines never change: they are fetched once.
const linesOf = new Map();
let newest = 0;
let isStale = false;

function notice(text, wrong = false) {
  const shown = byId("notice");
  shown.hidden = !text;
  shown.className = wrong ? "notice wrong" : "notice";
  shown.textContent = text ?? "";
}

// -- signed out

/** `why`: what is said above it, where somebody was signed in. */
function showSignIn(why = null) {
  // What is still under way is not drawn any more.
  newest += 1;
  signIn.forgetToken();
  replace(byId("operator"));
  notice(why, true);
  replace(
    view,
    element(
      "section",
      { class: "panel stack" },
      element("h1", {}, "For operators"),
      element("p", {}, "Inventory, orders and vendor orders are shown to who has an account."),
      element("p", {}, element("button", { id: "sign-in", click: () => signIn.begin(config.signIn) }, "Sign in")),
    ),
  );
}

function endSession() {
  showSignIn("Your sign-in has ended. Please sign in again: you come back to what you were looking at.");
}

function showOperator() {
  const { email, "cognito:username": username } = signIn.claims(signIn.currentToken());
  replace(
    byId("operator"),
    element("span", { class: "small" }, email ?? username),
    element("button", { id: "sign-out", class: "slim", click: () => signIn.end(config.signIn) }, "Sign out"),
  );
}

// -- the dashboard

/** Fetch everything and draw it; the focus stays where it is. Of several at once the newest is drawn. */
async function refresh() {
  if (!signIn.currentToken()) {
    endSession();
    return;
  }
  const mine = ++newest;
  try {
    const [metrics, inventory, orders, vendorOrders] = await Promise.all([
      api.get("/admin/metrics"),
      api.all("/admin/inventory", "products"),
      api.get(listPath("/admin/orders", place.orders)),
      api.get(listPath("/admin/vendor-orders", place.vendorOrders)),
    ]);
    for (const { orderId } of orders.orders) {
      if (linesOf.has(orderId)) continue;
      const { lines } = await api.get(`/admin/orders/${encodeURIComponent(orderId)}`);
      linesOf.set(orderId, lines);
    }
    if (mine !== newest) return;
    if (isStale) notice(null);
    isStale = false;
    draw(metrics, inventory, orders, vendorOrders);
  } catch (error) {
    if (mine !== newest) return;
    if (error.status === 401) endSession();
    else showStale(error);
  }
}

function listPath(path, { status, cursors }) {
  const query = new URLSearchParams({ status, limit: PAGE });
  const cursor = cursors.at(-1);
  if (cursor) query.set("cursor", cursor);
  return `${path}?${query}`;
}

function draw(metrics, inventory, orders, vendorOrders) {
  const focused = document.activeElement?.id;
  replace(
    view,
    element(
      "div",
      { class: "lead" },
      element("h1", {}, "The shelves right now"),
      element("p", { id: "as-of" }, `As of ${time(new Date())}`),
    ),
    figures(metrics),
    element(
      "div",
      { class: "dashboard" },
      ordersPanel(orders),
      vendorPanel(vendorOrders),
      inventoryPanel(inventory),
    ),
  );
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

/** What is shown stays, and says that it is old. */
function showStale(error) {
  isStale = true;
  const shown = document.getElementById("as-of");
  if (shown && !shown.classList.contains("stale")) {
    shown.classList.add("stale");
    shown.textContent = `${shown.textContent}: not up to date`;
  }
  notice(`${error.message} What is shown may be out of date; it is asked for again every few seconds.`, true);
}

/** Remember where the operator is, and show it. */
function go(name, status, cursors) {
  place[name] = { status, cursors };
  sessionStorage.setItem(PLACE, JSON.stringify(place));
  refresh();
}

function figures({ orders, shipped, revenueCents }) {
  const figure = (name, id, value) =>
    element("div", {}, element("dt", {}, name), element("dd", { id }, value));
  return element(
    "dl",
    { class: "figures" },
    figure("Orders in total", "total-orders", orders.toLocaleString("en-US")),
    figure("Not shipped yet", "open-orders", (orders - shipped).toLocaleString("en-US")),
    figure("Shipped", "shipped-orders", shipped.toLocaleString("en-US")),
    figure("Ordered for", "revenue", money(revenueCents)),
  );
}

function inventoryPanel(products) {
  return element(
    "section",
    { class: "panel all-columns", "aria-labelledby": "inventory-title" },
    element("h2", { id: "inventory-title" }, "Inventory"),
    element(
      "table",
      { id: "inventory", class: "cards" },
      element("caption", {}, "Ordered and sold (shipped) are counted since the shop opened"),
      headings(["Product"], ["In stock", 1], ["", 0], ["Ordered", 1], ["Sold", 1], ["Vendor order"]),
      element("tbody", {}, products.map(inventoryRow)),
    ),
  );
}

function inventoryRow({ productId, name, qty, reorderBelow, reorderQty, ordered, sold, openVendorOrder }) {
  const most = reorderBelow + reorderQty;
  return element(
    "tr",
    { "data-product": productId },
    cell(null, { class: "title" }, name),
    cell("In stock", { class: "number" }, qty.toLocaleString("en-US")),
    cell(
      null,
      { class: "gauge" },
      element("meter", {
        min: "0",
        max: String(Math.max(most, qty)),
        low: String(reorderBelow),
        optimum: String(most),
        value: String(qty),
        "aria-label": `Stock of ${name}: ${qty}, ordered again below ${reorderBelow}`,
      }),
    ),
    cell("Ordered", { class: "number" }, ordered.toLocaleString("en-US")),
    cell("Sold", { class: "number" }, sold.toLocaleString("en-US")),
    cell(
      "Vendor order",
      {},
      openVendorOrder ? element("span", { class: "tag low" }, `${openVendorOrder.qty} coming`) : "–",
    ),
  );
}

function ordersPanel({ orders, nextCursor }) {
  const rows = orders.map((order) =>
    element(
      "tr",
      { "data-order": order.orderId },
      cell(
        null,
        { class: "title" },
        element("code", { title: order.orderId }, order.orderId.slice(0, 8)),
        element("div", { class: "muted small" }, `${moment(order.createdAt)}, ${order.shippingOption}`),
      ),
      cell(
        null,
        { class: "wide-cell" },
        element(
          "ul",
          { class: "packing", "aria-label": `To pack for order ${order.orderId}` },
          linesOf.get(order.orderId).map(({ qty, name }) => element("li", {}, `${qty} × ${name}`)),
        ),
      ),
      cell("Total", { class: "number" }, money(order.totalCents)),
      cell(null, { class: "actions" }, orderActions(order)),
    ),
  );
  const states = { Created: "Not paid", Paid: "To be shipped", Shipped: "Shipped", Expired: "Expired" };
  return listPanel("orders", "Orders", states, rows, nextCursor);
}

function orderActions({ orderId, status }) {
  const path = `/admin/orders/${orderId}`;
  return [
    status === "Created" && action(`pay-${orderId}`, "Paid", `Mark order ${orderId} as paid`, `${path}/pay`),
    (status === "Created" || status === "Paid") &&
      action(`ship-${orderId}`, "Ship", `Ship order ${orderId}`, `${path}/ship`),
  ];
}

function vendorPanel({ vendorOrders, nextCursor }) {
  const rows = vendorOrders.map((order) =>
    element(
      "tr",
      { "data-vendor-order": order.vendorOrderId },
      cell(
        null,
        { class: "title" },
        order.productId,
        element("div", { class: "muted small" }, moment(order.receivedAt ?? order.cancelledAt ?? order.createdAt)),
      ),
      cell("Quantity", { class: "number" }, order.qty.toLocaleString("en-US")),
      cell(null, { class: "actions" }, order.status === "Open" && vendorActions(order.vendorOrderId)),
    ),
  );
  const states = { Open: "Open", Received: "Received", Cancelled: "Cancelled" };
  return listPanel("vendorOrders", "Vendor orders", states, rows, nextCursor);
}

function vendorActions(vendorOrderId) {
  const path = `/admin/vendor-orders/${vendorOrderId}`;
  return [
    action(`receive-${vendorOrderId}`, "Receive", `Receive vendor order ${vendorOrderId}`, `${path}/receive`),
    action(`cancel-${vendorOrderId}`, "Cancel", `Cancel vendor order ${vendorOrderId}`, `${path}/cancel`),
  ];
}

/** A list with a button for each state it can be shown in. */
function listPanel(name, title, states, rows, nextCursor) {
  const buttons = Object.entries(states).map(([state, text]) =>
    element(
      "button",
      {
        id: `${name}-${state}`,
        class: "slim",
        "aria-pressed": String(place[name].status === state),
        click: () => go(name, state, [null]),
      },
      text,
    ),
  );
  return element(
    "section",
    { class: "panel", "aria-labelledby": `${name}-title` },
    element(
      "div",
      { class: "panel-head" },
      element("h2", { id: `${name}-title` }, title),
      element("div", { class: "tabs", role: "group", "aria-label": `Which ${title.toLowerCase()}` }, buttons),
    ),
    rows.length === 0
      ? element("p", { class: "muted" }, "None.")
      : element("table", { id: name, class: "cards" }, element("tbody", {}, rows)),
    pages(name, title, nextCursor),
  );
}

/** The buttons that lead from page to page; none where one page has all. */
function pages(name, title, nextCursor) {
  const { status, cursors } = place[name];
  if (cursors.length === 1 && !nextCursor) return null;
  const turn = (id, text, disabled, to) =>
    element("button", { id: `${name}-${id}`, class: "quiet slim", disabled, click: () => go(name, status, to) }, text);
  return element(
    "div",
    { class: "pages", role: "group", "aria-label": `Pages of ${title.toLowerCase()}` },
    turn("back", "Back", cursors.length === 1, cursors.slice(0, -1)),
    element("span", { class: "muted small" }, `Page ${cursors.length}`),
    turn("next", "Next", !nextCursor, [...cursors, nextCursor]),
  );
}

/** A cell; on a narrow screen, where a row is a block of its own, it shows the column's name. */
function cell(column, attributes, ...children) {
  return element("td", { ...attributes, "data-column": column }, element("div", {}, children));
}

function action(id, text, label, path) {
  const run = async (event) => {
    event.target.disabled = true;
    try {
      await api.post(path);
      notice(null);
    } catch (error) {
      notice(error.message, true);
    }
    await refresh();
  };
  return element("button", { id, class: "quiet slim", "aria-label": label, click: run }, text);
}

function headings(...columns) {
  const cells = columns.map(([text, number]) =>
    element(text ? "th" : "td", { scope: text && "col", class: number === 1 && "number" }, text),
  );
  return element("thead", {}, element("tr", {}, cells));
}

// -- begin

let problem = null;
try {
  config = await settings();
  api = new Api(config.apiUrl, signIn.currentToken);
  await signIn.finish(config.signIn);
} catch (error) {
  problem = error.message;
  notice(problem, true);
}
if (config && signIn.currentToken()) {
  showOperator();
  await refresh();
  const look = () => {
    // Signed out, there is nothing to bring up to date.
    if (!document.hidden && byId("operator").childElementCount) refresh();
  };
  setInterval(look, REFRESH_MILLISECONDS);
  document.addEventListener("visibilitychange", look);
} else if (config) {
  showSignIn(problem);
}
