// Operators sign in on Cognito's hosted page: the authorization code grant with PKCE (RFC 7636), without a client secret.
// https://docs.aws.amazon.com/cognito/latest/developerguide/using-pkce-in-authorization-code.html

const TOKEN = "operator-token";
const PENDING = "operator-sign-in";

// What the hosted page says in the address is never shown: anybody can make a link with any text in it.
// https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html
const REFUSALS = { access_denied: "The sign-in was refused. Please try again." };

/** The token of this tab's operator, or null: none was given, or it has expired. */
export function currentToken() {
  const token = sessionStorage.getItem(TOKEN);
  if (!token || expiry(token) <= Date.now()) return null;
  return token;
}

/** Keep a token for this tab: sessionStorage ends with it, and no other origin reads it. */
export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

export function forgetToken() {
  sessionStorage.removeItem(TOKEN);
}

/** The claims of a token, unchecked: for showing a name. The API decides what its bearer may see. */
export function claims(token) {
  try {
    const [, payload] = token.split(".");
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

/** Go to the hosted page. */
export async function begin(signIn) {
  const verifier = random();
  const state = random();
  sessionStorage.setItem(PENDING, JSON.stringify({ verifier, state }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: signIn.clientId,
    redirect_uri: redirectUri(),
    scope: signIn.scopes.join(" "),
    state,
    code_challenge_method: "S256",
    code_challenge: base64url(new Uint8Array(digest)),
  });
  location.assign(`${signIn.authorizeUrl}?${query}`);
}

/**
 * If the hosted page has sent the operator back: trade the code for tokens, and take the code out of the address.
 * Throws an Error with a sentence for the operator when the sign-in did not succeed.
 */
export async function finish(signIn) {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("code") && !answer.has("error")) return;
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "{}");
  sessionStorage.removeItem(PENDING);
  history.replaceState(null, "", redirectUri());
  // A code that this tab did not ask for would sign the operator in as somebody else.
  if (!pending.state || answer.get("state") !== pending.state) {
    throw new Error("This sign-in was not begun in this tab. Please sign in again.");
  }
  if (answer.has("error")) {
    throw new Error(REFUSALS[answer.get("error")] ?? "The sign-in did not succeed. Please try again.");
  }
  const response = await fetch(signIn.tokenUrl, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id: signIn.clientId,
      redirect_uri: redirectUri(),
      code: answer.get("code"),
      code_verifier: pending.verifier,
    }),
  });
  if (!response.ok) throw new Error("The sign-in could not be completed. Please sign in again.");
  keepToken((await response.json()).id_token);
}

/** End the session here and on the hosted page; the tab forgets what the operator looked at. */
export function end(signIn) {
  sessionStorage.clear();
  const query = new URLSearchParams({ client_id: signIn.clientId, logout_uri: redirectUri() });
  location.assign(`${signIn.logoutUrl}?${query}`);
}

function redirectUri() {
  return `${location.origin}${location.pathname}`;
}

function expiry(token) {
  return (claims(token).exp ?? 0) * 1000;
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
