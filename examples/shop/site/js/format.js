// How amounts, times and states are written.

const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
const moments = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** Whole cents as an amount. The text is put together from whole numbers: no binary fraction takes part. */
export function money(cents) {
  const digits = String(Math.abs(cents)).padStart(3, "0");
  return dollars.format(`${cents < 0 ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`);
}

/** A time as the API writes it ("2026-11-21T15:10:00.123Z"), in the visitor's own zone; a dash where there is none. */
export function moment(text) {
  return text ? moments.format(new Date(text)) : "–";
}

/** The time of day of a Date, with its seconds. */
export function time(date) {
  return date.toLocaleTimeString("en-GB");
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en-US")} ${number === 1 ? one : many}`;
}

export const SHIPPING = { standard: "Standard (someone walks)", "1-day": "1-day shipping", drone: "Drone delivery" };

/** What the pictures are chosen by: the first word that a product's id has. */
const PICTURES = {
  vest: "vest",
  crossbow: "crossbow",
  axe: "axe",
  juice: "juice",
  juicery: "juice",
  energy: "juice",
  bottle: "bottle",
  flamethrower: "flame",
  flame: "flame",
};

/** The class of a product's picture; without one of its own it comes in a crate. */
export function picture(productId) {
  const word = productId.split("-").find((part) => part in PICTURES);
  return PICTURES[word] ?? "crate";
}
