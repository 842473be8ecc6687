// Elements made from data. Whatever is shown goes through text nodes: nothing that a server or a visitor says is read as HTML.

/**
 * An element. `attributes`: text values are set as attributes, `true` as an empty one, `false` and null leave it out, and
 * a function is an event's listener ("click"). `children`: elements, texts, numbers, or lists of them; null and false are left out.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter(isShown).map(asNode));
  return made;
}

/** Put these children in the place of all that an element holds. */
export function replace(target, ...children) {
  target.replaceChildren(...children.flat(Infinity).filter(isShown).map(asNode));
}

/** The element with this id, which the page must have. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

// `condition && element(...)` is false where there is nothing to show.
function isShown(child) {
  return child != null && child !== false;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}
