"""Runs the routes of a function behind an HTTP API, and turns errors into answers.

API Gateway has matched the route already and names it in the event's `routeKey`. A refused request gets an answer with
the body {"error": {"code", "message", "field"?}}. The status is 503 when AWS throttles a call or does not answer.
"""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda.aws.clients import CallLimits
from leda.aws.telemetry import count, logger
from leda.aws.transactions import Verdict, verdict
from leda.shop.http.exchange import Answer, Request, read
from leda.shop.refusals import RefusedError, busy, not_found

RETRY_AFTER_SECONDS = 1

# API Gateway waits for the function's answer for at most 30 s.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
CALL_LIMITS = CallLimits(connect_seconds=1, read_seconds=2, tries=2)

Route = Callable[[Request], Answer]


class Api:
    """The routes of one function, by their route keys ("GET /orders/{id}")."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes

    def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to the event. Raises nothing: an unexpected exception is logged and answered with 500."""
        name = event.get("routeKey", "")
        try:
            answer = self._routed(name, event)
        except RefusedError as refused:
            if refused.__cause__ and refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                logger.warning("gave up", extra={"route": name, "last": str(refused.__cause__)})
            answer = _refusal(refused)
        except (ClientError, HTTPClientError, NoConnection) as error:
            answer = _refusal(_outage(error))
        except Exception:
            logger.exception("failed", extra={"route": name})
            answer = _refusal(_internal())
        # The log has no path and no parameters, because whoever has an order's or a customer's ID can read the orders.
        logger.info("answered", extra={"route": name, "status": int(answer.status)})
        count(
            Requests=1,
            ClientErrors=int(400 <= answer.status < 500),
            Busy=int(answer.status == HTTPStatus.SERVICE_UNAVAILABLE),
            Failures=int(answer.status == HTTPStatus.INTERNAL_SERVER_ERROR),
        )
        return {
            "statusCode": int(answer.status),
            "headers": {
                "content-type": "application/json",
                "cache-control": "no-store",
                **answer.headers,
            },
            "body": json.dumps(answer.document),
        }

    def _routed(self, name: str, event: Mapping[str, Any]) -> Answer:
        route = self._routes.get(name)
        if route is None:
            raise not_found("route")
        return route(read(event))


def _refusal(refused: RefusedError) -> Answer:
    error = {"code": refused.code, "message": str(refused)}
    if refused.field is not None:
        error["field"] = refused.field
    wait = refused.status == HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)} if wait else {}
    return Answer({"error": error}, refused.status, headers)


def _outage(error: Exception) -> RefusedError:
    """Return the refusal for a failed call: Busy if a retry may help, Internal for a wrong setup."""
    if isinstance(error, ClientError) and verdict(error) in (Verdict.FATAL, Verdict.REFUSED):
        logger.error("AWS refuses a call", extra={"error": str(error)})
        return _internal()
    logger.warning("AWS does not answer", extra={"error": str(error)})
    return busy()


def _internal() -> RefusedError:
    return RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal", "The shop has failed.")
