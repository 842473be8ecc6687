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

/** The customer's number: drawn once, kept here. Whoever knows it sees the customer's orders. */
export function customerId() {
  return read(CUSTOMER) ?? write(CUSTOMER, crypto.randomUUID());
}

/**
 * The request for an order of the basket. Its client token stays the same until the order is placed or changed, through
 * reloads too: an order whose answer was lost is not placed a second time.
 */
export function checkout(shippingOption) {
  const lines = [...basket()].map(([productId, qty]) => ({ productId, qty }));
  const order = { customerId: customerId(), shippingOption, lines };
  const before = read(CHECKOUT);
  const { clientToken, ...same } = before ?? {};
  if (before && JSON.stringify(same) === JSON.stringify(order)) return before;
  return write(CHECKOUT, { ...order, clientToken: crypto.randomUUID() });
}

/** The order is placed: the next one begins with an empty basket. */
export function placed() {
  localStorage.removeItem(BASKET);
  localStorage.removeItem(CHECKOUT);
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
