// Calls to the shop's API, and what goes wrong with them as an error whose message can be shown.

const TRIES = 6;
const BUSY = [429, 503];

/** An answer that is not a success. `status` is HTTP's (0: no answer), `code` and `field` are the API's own. */
export class ApiError extends Error {
  constructor(status, code, message, field) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

/** The settings that Terraform wrote next to the page. */
export async function settings() {
  const response = await fetch("config.json", { cache: "no-cache" });
  if (!response.ok) throw new Error("The page has no config.json.");
  return response.json();
}

/** The API at a URL. `token` is a function that returns the operator's token, or null. */
export class Api {
  constructor(url, token = () => null) {
    this.url = url;
    this.token = token;
  }

  get(path) {
    return this.#call(path, {});
  }

  /** Everything that a list has, page by page: `name` is the field that the list is in. */
  async all(path, name) {
    const found = [];
    let cursor = null;
    do {
      const page = await this.get(cursor ? `${path}?cursor=${encodeURIComponent(cursor)}` : path);
      found.push(...page[name]);
      cursor = page.nextCursor;
    } while (cursor);
    return found;
  }

  post(path, body) {
    return this.#call(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body ?? {}),
    });
  }

  async #call(path, request) {
    const token = this.token();
    const headers = { ...request.headers, ...(token && { authorization: `Bearer ${token}` }) };
    let response;
    // Everything that this API does may be asked for again: an order has its token, shipping and receiving happen once.
    for (let tries = 1; ; tries += 1) {
      try {
        response = await fetch(this.url + path, { ...request, headers });
      } catch {
        throw new ApiError(0, "NoAnswer", "The shop does not answer. Please try again.");
      }
      if (!BUSY.includes(response.status) || tries === TRIES) break;
      // Not all at the same moment again.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300 * tries));
    }
    const body = await response.json().catch(() => ({}));
    if (response.ok) return body;
    const error = body.error ?? {};
    const message = error.message ?? body.message ?? `The shop answers ${response.status}.`;
    throw new ApiError(response.status, error.code, message, error.field);
  }
}
