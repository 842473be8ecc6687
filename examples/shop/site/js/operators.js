// The operators' page: what is on the shelves, what is to be shipped, what is on order, and how the shop does.

import { Api, settings } from "./api.js";
import { byId, element, replace } from "./dom.js";
import { count, moment, money } from "./format.js";
import * as signIn from "./sign-in.js";

const REFRESH_MILLISECONDS = 5000;
const view = byId("view");
let config;
let api;
// Which orders and vendor orders are listed.
const listed = { orders: "Created", vendorOrders: "Open" };
let newest = 0;

function notice(text, wrong = false) {
  const shown = byId("notice");
  shown.hidden = !text;
  shown.className = wrong ? "notice wrong" : "notice";
  shown.textContent = text ?? "";
}

// -- signed out

function showSignIn() {
  replace(byId("operator"));
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
  const mine = ++newest;
  try {
    const [metrics, inventory, orders, vendorOrders] = await Promise.all([
      api.get("/admin/metrics"),
      api.all("/admin/inventory", "products"),
      api.get(`/admin/orders?status=${listed.orders}`),
      api.get(`/admin/vendor-orders?status=${listed.vendorOrders}`),
    ]);
    if (mine !== newest) return;
    const focused = document.activeElement?.id;
    replace(
      view,
      element(
        "div",
        { class: "lead" },
        element("h1", {}, "The shelves right now"),
        element("p", { id: "as-of" }, `As of ${new Date().toLocaleTimeString("en-GB")}`),
      ),
      figures(metrics),
      element(
        "div",
        { class: "dashboard" },
        inventoryPanel(inventory),
        element("div", { class: "stack" }, ordersPanel(orders), vendorPanel(vendorOrders)),
      ),
    );
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  } catch (error) {
    if (error.status === 401) {
      signIn.forgetToken();
      showSignIn();
      notice("Your sign-in has ended. Please sign in again.", true);
    } else {
      notice(error.message, true);
    }
  }
}

function figures({ orders, shipped, revenueCents }) {
  const figure = (name, id, value) =>
    element("div", {}, element("dt", {}, name), element("dd", { id }, value));
  return element(
    "dl",
    { class: "figures" },
    figure("Orders in total", "total-orders", orders.toLocaleString("en-US")),
    figure("To be shipped", "open-orders", (orders - shipped).toLocaleString("en-US")),
    figure("Shipped", "shipped-orders", shipped.toLocaleString("en-US")),
    figure("Ordered for", "revenue", money(revenueCents)),
  );
}

function inventoryPanel(products) {
  return element(
    "section",
    { class: "panel", "aria-labelledby": "inventory-title" },
    element("h2", { id: "inventory-title" }, "Inventory"),
    element(
      "div",
      { class: "scroll" },
      element(
        "table",
        { id: "inventory" },
        element("caption", {}, "Ordered and sold (shipped) are counted since the shop opened"),
        headings(["Product"], ["In stock", 2], ["Ordered", 1], ["Sold", 1], ["Vendor order"]),
        element("tbody", {}, products.map(inventoryRow)),
      ),
    ),
  );
}

function inventoryRow({ productId, name, qty, reorderBelow, reorderQty, ordered, sold, openVendorOrder }) {
  const most = reorderBelow + reorderQty;
  return element(
    "tr",
    { "data-product": productId },
    element("td", {}, name),
    element("td", { class: "number" }, qty.toLocaleString("en-US")),
    element(
      "td",
      {},
      element("meter", {
        min: "0",
        max: String(Math.max(most, qty)),
        low: String(reorderBelow),
        optimum: String(most),
        value: String(qty),
        "aria-label": `Stock of ${name}: ${qty}, ordered anew below ${reorderBelow}`,
      }),
    ),
    element("td", { class: "number" }, ordered.toLocaleString("en-US")),
    element("td", { class: "number" }, sold.toLocaleString("en-US")),
    element("td", {}, openVendorOrder && element("span", { class: "tag low" }, `${openVendorOrder.qty} coming`)),
  );
}

function ordersPanel({ orders, nextCursor }) {
  const rows = orders.map((order) =>
    element(
      "tr",
      {},
      element(
        "td",
        {},
        element("code", { title: order.orderId }, order.orderId.slice(0, 8)),
        element("div", { class: "muted small whole" }, moment(order.createdAt)),
      ),
      element(
        "td",
        {},
        count(order.lines, "article"),
        element("div", { class: "muted small" }, order.shippingOption),
      ),
      element("td", { class: "number" }, money(order.totalCents)),
      element(
        "td",
        { class: "number" },
        order.status === "Created" &&
          action(`ship-${order.orderId}`, "Ship", `Ship order ${order.orderId}`, `/admin/orders/${order.orderId}/ship`),
      ),
    ),
  );
  return listPanel("orders", "Orders", { Created: "To be shipped", Shipped: "Shipped" }, rows, nextCursor);
}

function vendorPanel({ vendorOrders, nextCursor }) {
  const rows = vendorOrders.map((order) =>
    element(
      "tr",
      {},
      element(
        "td",
        {},
        order.productId,
        element("div", { class: "muted small whole" }, moment(order.receivedAt ?? order.createdAt)),
      ),
      element("td", { class: "number" }, order.qty.toLocaleString("en-US")),
      element(
        "td",
        { class: "number" },
        order.status === "Open" &&
          action(
            `receive-${order.vendorOrderId}`,
            "Receive",
            `Receive vendor order ${order.vendorOrderId}`,
            `/admin/vendor-orders/${order.vendorOrderId}/receive`,
          ),
      ),
    ),
  );
  return listPanel("vendorOrders", "Vendor orders", { Open: "Open", Received: "Received" }, rows, nextCursor);
}

/** A list with a button for each state it can be shown in. */
function listPanel(name, title, states, rows, nextCursor) {
  const buttons = Object.entries(states).map(([state, text]) =>
    element(
      "button",
      {
        id: `${name}-${state}`,
        class: "slim",
        "aria-pressed": String(listed[name] === state),
        click: () => {
          listed[name] = state;
          refresh();
        },
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
      : element("div", { class: "scroll" }, element("table", { id: name }, element("tbody", {}, rows))),
    nextCursor && element("p", { class: "muted small" }, `The first ${rows.length} are shown.`),
  );
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
    element("th", { scope: "col", class: number === 1 && "number", colspan: number === 2 && "2" }, text),
  );
  return element("thead", {}, element("tr", {}, cells));
}

// -- begin

try {
  config = await settings();
  api = new Api(config.apiUrl, signIn.currentToken);
  await signIn.finish(config.signIn);
} catch (error) {
  notice(error.message, true);
}
if (config && signIn.currentToken()) {
  showOperator();
  await refresh();
  setInterval(() => {
    if (!document.hidden && signIn.currentToken()) refresh();
  }, REFRESH_MILLISECONDS);
} else if (config) {
  showSignIn();
}
