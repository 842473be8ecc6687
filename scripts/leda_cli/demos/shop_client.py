"""Uses the applied shop as its customers, operators and analysts do: over HTTP, and through Athena."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from leda_cli.base.errors import LedaError
from leda_cli.demos.applied_example import AppliedExample
from leda_cli.demos.hosted_sign_in import sign_in

ATHENA_SECONDS = 60.0
PATIENCE_SECONDS = 40.0
BUSY = (429, 503)
"""Answers after which to try again: the API's (throttled), and the shop's."""
TAKEN = (200, 201)
"""The order exists: made by an earlier try (200) or by this one (201)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. `body` is its parsed JSON, None if it is not JSON; `content` has its bytes."""

    status: int
    body: Any
    headers: Mapping[str, str]
    content: bytes = b""

    @property
    def error(self) -> Any:
        """The API's `error` object ({} where there is none)."""
        return self.body.get("error", {}) if isinstance(self.body, dict) else {}


@dataclass(frozen=True)
class ShopClient:
    """The shop's API. `token` is an operator's, for the /admin routes."""

    url: str
    token: str | None = None
    # As many connections as the rush has customers. urllib3 uses no proxy of the environment.
    http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(maxsize=100, timeout=60, retries=False)
    )

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send one request once. `path` is quoted already; names of `headers` have underscores for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("authorization", f"Bearer {self.token}")
        if body is not None:
            sent.setdefault("content-type", "application/json")
        answer = self.http.request(method, self.url + path, body=body, headers=sent)
        try:
            content = json.loads(answer.data)
        except ValueError:
            content = None
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, content, lowered, answer.data)

    def get(self, *parts: str, **query: str | int) -> Answer:
        """GET /part/part?query, again while the shop is busy."""
        path = "".join(f"/{quote(part, safe='')}" for part in parts)
        return self._patiently("GET", f"{path}?{urlencode(query)}" if query else path, None)

    def post(self, *parts: str, body: object = None) -> Answer:
        """POST JSON to /part/part, again while the shop is busy: no POST of this API does anything twice."""
        path = "".join(f"/{quote(part, safe='')}" for part in parts)
        return self._patiently("POST", path, None if body is None else json.dumps(body).encode())

    def order(self, request: Mapping[str, object]) -> Answer:
        """Place an order; each try has the request's client token."""
        return self.post("orders", body=request)

    def _patiently(self, method: str, path: str, body: bytes | None) -> Answer:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self.call(method, path, body)
            if answer.status not in BUSY or time.monotonic() > deadline:
                return answer
            # At random, so that not all clients come back at the same moment.
            time.sleep(random.uniform(0.2, 1))

    def each(self, name: str, *parts: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """Yield the elements of a list, page by page. Raises LedaError if a page is refused."""
        while True:
            answer = self.get(*parts, **query)
            if answer.status != 200:
                raise LedaError(
                    f"GET /{'/'.join(parts)} answers {answer.status}: {answer.body}",
                    "Look at the functions' logs: /aws/lambda/fnStorefront and /aws/lambda/fnOperations.",
                )
            yield from answer.body[name]
            if not answer.body["nextCursor"]:
                return
            query["cursor"] = answer.body["nextCursor"]


@dataclass(frozen=True)
class Operator:
    """An account of the operators' user pool, and its tokens."""

    email: str
    password: str
    tokens: Mapping[str, Any]
    """As the token endpoint gives them: `id_token`, `access_token`, `refresh_token`."""

    @property
    def token(self) -> str:
        """The token that the API accepts."""
        return str(self.tokens["id_token"])


@dataclass(frozen=True)
class Shop(AppliedExample):
    """The applied example."""

    @cached_property
    def site(self) -> Mapping[str, Any]:
        """The settings that the site's pages read: config.json."""
        bucket = self.aws.outputs["site"]["bucket"]
        answer = self.aws.client("s3").get_object(Bucket=bucket, Key="config.json")
        found: dict[str, Any] = json.loads(answer["Body"].read())
        return found

    @cached_property
    def customers(self) -> ShopClient:
        """A client of the API without a token."""
        return ShopClient(self.site["apiUrl"])

    @cached_property
    def operator(self) -> Operator:
        """A new account, signed in on the hosted page."""
        pool = self.aws.outputs["sign_in"]["user_pool_id"]
        email = f"operator-{secrets.token_hex(3)}@example.com"
        # A password needs all four kinds of characters.
        password = f"Aisle-9-{secrets.token_hex(6)}"
        users = self.aws.client("cognito-idp")
        users.admin_create_user(
            UserPoolId=pool,
            Username=email,
            MessageAction="SUPPRESS",
            TemporaryPassword=password,
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true"},
            ],
        )
        users.admin_set_user_password(
            UserPoolId=pool, Username=email, Password=password, Permanent=True
        )
        tokens = sign_in(self.site["signIn"], self.operators_url, email, password)
        return Operator(email, password, tokens)

    @cached_property
    def operators(self) -> ShopClient:
        """A client of the API with an operator's token."""
        return ShopClient(self.site["apiUrl"], self.operator.token)

    @property
    def url(self) -> str:
        """The URL of the shop's page."""
        return str(self.aws.outputs["site"]["url"])

    @property
    def operators_url(self) -> str:
        """The URL of the operators' page."""
        return str(self.aws.outputs["site"]["operators_url"])

    @property
    def table(self) -> str:
        """The table's name."""
        return str(self.aws.outputs["table"]["name"])

    def rows(self) -> list[dict[str, Any]]:
        """Every row of the table."""
        return list(self.scan(self.table))

    def function(self, part: str) -> str:
        """A function's name, by its folder in lambda_src."""
        return str(self.aws.outputs["functions"][part]["name"])

    def query(self, name: str) -> list[dict[str, str]]:
        """The rows of a saved query, each value as Athena writes it. Raises LedaError if the query fails."""
        return self.select(self.aws.outputs["lake"]["queries"][name])

    def select(self, sql: str) -> list[dict[str, str]]:
        """The rows of a query over the lake. Raises LedaError if the query fails or takes too long."""
        athena, lake = self.aws.client("athena"), self.aws.outputs["lake"]
        run = athena.start_query_execution(
            QueryString=sql,
            WorkGroup=lake["workgroup"],
            QueryExecutionContext={"Database": lake["database"]},
        )["QueryExecutionId"]
        deadline = time.monotonic() + ATHENA_SECONDS
        while True:
            status = athena.get_query_execution(QueryExecutionId=run)["QueryExecution"]["Status"]
            if status["State"] == "SUCCEEDED":
                break
            if status["State"] in ("FAILED", "CANCELLED") or time.monotonic() > deadline:
                raise LedaError(
                    f"Athena: {status['State']} {status.get('StateChangeReason', '')}",
                    "Look at the query in the workgroup's history.",
                )
            time.sleep(0.1)
        pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=run)
        rows = [
            [cell.get("VarCharValue", "") for cell in row["Data"]]
            for page in pages
            for row in page["ResultSet"]["Rows"]
        ]
        names, *found = rows
        return [dict(zip(names, row, strict=True)) for row in found]


def new_request(
    lines: Mapping[str, int], customer: str | None = None, shipping: str = "standard"
) -> dict[str, Any]:
    """A request for an order, with a client token of its own. `lines`: quantity by product."""
    return {
        "clientToken": secrets.token_urlsafe(24),
        "customerId": customer or secrets.token_urlsafe(18),
        "shippingOption": shipping,
        "lines": [{"productId": product, "qty": qty} for product, qty in lines.items()],
    }
