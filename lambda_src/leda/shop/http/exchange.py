"""A request to an HTTP API, and its answer.

The event's form: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
(payload format 2.0).
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Any, NoReturn

from leda.shop.refusals import RefusedError, invalid

MAX_BODY_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request that API Gateway has matched to a route.

    `claims` are those of the token that the API's authorizer has checked. `body` is empty unless the method is POST.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    claims: Mapping[str, Any]

    def json(self) -> Any:
        """Read the body as JSON, with numbers as int or Decimal. Raises RefusedError."""
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_refuse_constant)
        except (ValueError, RecursionError, ArithmeticError) as error:
            raise invalid("body", "The body is not JSON.") from error


@dataclass(frozen=True, slots=True)
class Answer:
    """A route's answer; `document` is what JSON can hold."""

    document: Any
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


def read(event: Mapping[str, Any]) -> Request:
    """Read the request from an event. Raises RefusedError."""
    body = _body(event) if (event.get("routeKey") or "").startswith("POST ") else b""
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    return Request(
        path=event.get("pathParameters") or {},
        query=event.get("queryStringParameters") or {},
        body=body,
        claims=(authorizer.get("jwt") or {}).get("claims") or {},
    )


def _body(event: Mapping[str, Any]) -> bytes:
    """Return the bytes of a POST's body. Raises RefusedError unless its content type is application/json.

    A page of another site can make a browser send a body of text/plain or a form without a preflight request, but not
    one of application/json (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
    """
    body: bytes = (event.get("body") or "").encode(errors="surrogatepass")
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise invalid("body", "The body is not base64.") from error
    if len(body) > MAX_BODY_BYTES:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "TooLarge",
            f"The body has more than {MAX_BODY_BYTES} bytes.",
        )
    # In payload format 2.0 the names of headers are in lower case.
    content_type = (event.get("headers") or {}).get("content-type", "")
    if body and content_type.partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "The body's content type must be application/json.",
        )
    return body


def operator_of(request: Request) -> str:
    """Return the operator's name from the claims of the ID token. Raises RefusedError for any other token.

    The API's authorizer accepts every token that the user pool has signed for the client, access tokens too.
    https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html
    """
    if request.claims.get("token_use") == "id":
        for claim in ("cognito:username", "sub"):
            if name := request.claims.get(claim):
                return str(name)
    raise RefusedError(
        HTTPStatus.UNAUTHORIZED, "Unauthorized", "Sign in as an operator, and send the ID token."
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
