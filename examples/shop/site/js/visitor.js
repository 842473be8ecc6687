// What this browser remembers: the basket, the customer's own number, and the order that is being placed.

const BASKET = "basket";
const CUSTOMER = "customer";
const CHECKOUT = "checkout";

/** The basket: quantity by product id. */
export function basket() {
  return new Map(Object.entries(read(BASKET) ?? {}));
}

/** Put so many of a product into the basket; 0 takes it out. */
export function setQuantity(productId, quantity) {
  const lines = basket();
  if (quantity > 0) lines.set(productId, quantity);
  else lines.delete(productId);
  write(BASKET, Object.fromEntries(lines));
}

/** The customer's number: drawn once, kept here. Anybody who knows it sees the customer's orders. */
export function customerId() {
  return read(CUSTOMER) ?? write(CUSTOMER, crypto.randomUUID());
}

/**
 * The request for an order of the basket. Its client token stays the same until an order is placed, through reloads and
 * changes of the basket: of all requests with a token the shop takes one. So an order whose answer was lost is not placed
 * a second time, and neither is a changed one beside it.
 */
export function checkout(shippingOption) {
  const lines = [...basket()].map(([productId, qty]) => ({ productId, qty }));
  const { clientToken, sent } = read(CHECKOUT) ?? { clientToken: crypto.randomUUID(), sent: [] };
  const request = { clientToken, customerId: customerId(), shippingOption, lines };
  const others = sent.filter((each) => !isSame(each, request));
  write(CHECKOUT, { clientToken, sent: [request, ...others] });
  return request;
}

/** The other requests that were sent with the token of this one, the newest first. */
export function sentBefore(request) {
  return (read(CHECKOUT)?.sent ?? []).filter((each) => !isSame(each, request));
}

/** An order is placed: its lines are taken out of the basket, and the next one gets a token of its own. */
export function placed(order) {
  const lines = basket();
  for (const { productId, qty } of order.lines) setQuantity(productId, (lines.get(productId) ?? 0) - qty);
  forgetCheckout();
}

/** The next order gets a token of its own. */
export function forgetCheckout() {
  localStorage.removeItem(CHECKOUT);
}

/** Call a function whenever another tab of this browser changes the basket. */
export function onChangeElsewhere(changed) {
  window.addEventListener("storage", (event) => {
    // A null key: the other tab has cleared everything.
    if (event.key === BASKET || event.key === null) changed();
  });
}

function isSame(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null; // another program wrote something else there
  }
}

function write(key, value) {
  localStorage.setItem(key, JSON.stringify(value));
  return value;
}
