"""Signs in on a user pool's hosted page as a browser does: the authorization code grant with PKCE (RFC 7636).

https://docs.aws.amazon.com/cognito/latest/developerguide/using-pkce-in-authorization-code.html

It fills in MiniStack's form, which has a name and a password. Cognito's own page needs a browser.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import urllib3

from leda_cli.base.errors import LedaError

_FORM = {"content-type": "application/x-www-form-urlencoded"}


def sign_in(
    settings: Mapping[str, Any], page_url: str, username: str, password: str
) -> dict[str, Any]:
    """Sign an operator in; returns `id_token`, `access_token`, `refresh_token`, `expires_in` (seconds).

    settings: `signIn` of the site's config.json.
    page_url: where the hosted page sends the operator back to; one of the client's callback URLs.

    Raises LedaError when the page or the token endpoint refuses.
    """
    verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    digest = hashlib.sha256(verifier.encode()).digest()
    request = {
        "response_type": "code",
        "client_id": settings["clientId"],
        "redirect_uri": page_url,
        "scope": " ".join(settings["scopes"]),
        "state": state,
        "code_challenge_method": "S256",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
    }
    http = urllib3.PoolManager(timeout=30)
    page = http.request("GET", f"{settings['authorizeUrl']}?{urlencode(request)}", redirect=False)
    if page.status != 200:
        raise _refused(f"{settings['authorizeUrl']} answers {page.status}", page)
    back = http.request(
        "POST",
        settings["authorizeUrl"].removesuffix("/oauth2/authorize") + "/login",
        body=urlencode({**request, "username": username, "password": password}),
        headers=_FORM,
        redirect=False,
    )
    answer = parse_qs(urlsplit(back.headers.get("location", "")).query)
    if answer.get("state") != [state] or "code" not in answer:
        raise _refused(f"{username} could not sign in: {back.status}", back)
    tokens = http.request(
        "POST",
        settings["tokenUrl"],
        body=urlencode(
            {
                "grant_type": "authorization_code",
                "client_id": settings["clientId"],
                "redirect_uri": page_url,
                "code": answer["code"][0],
                "code_verifier": verifier,
            }
        ),
        headers=_FORM,
    )
    if tokens.status != 200:
        raise _refused(f"{settings['tokenUrl']} answers {tokens.status}", tokens)
    found: dict[str, Any] = tokens.json()
    return found


def _refused(what: str, answer: urllib3.BaseHTTPResponse) -> LedaError:
    text = answer.data.decode(errors="replace")[:300]
    return LedaError(f"{what} {text}", "Look at the user pool, its app client and its users.")
