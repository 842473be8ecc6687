"""The shop over DynamoDB Local: its table with both indexes, its functions, and requests to its API."""

import io
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leda.shop.stock import parts
from leda_cli.base.paths import ROOT
from support.lambda_events import Record, event
from support.openapi import OpenApi
from support.pipeline import Function, Tables
from support.tables import definition, index

TABLE = "UnifiedTable"
# As modules/shop sets it.
CONFIGURATION = {
    "group_by": {
        "ordered": {
            "keys": ["productId"],
            "where": {"itemType": ["orderLine"], "status": ["Created", "Paid", "Shipped"]},
        },
        "sold": {
            "keys": ["productId"],
            "where": {"itemType": ["orderLine"], "status": ["Shipped"]},
        },
        "orders": {
            "keys": ["itemType"],
            "where": {"itemType": ["order"], "status": ["Created", "Paid", "Shipped"]},
        },
        "shipped": {"keys": ["itemType"], "where": {"itemType": ["order"], "status": ["Shipped"]}},
    },
    "measures": {
        "Count": {"op": "count"},
        "Pieces": {"op": "sum", "field": "qty", "missing": "0"},
        "RevenueCents": {"op": "sum", "field": "totalCents", "missing": "0"},
    },
}
OPENAPI = OpenApi(ROOT / "modules" / "shop" / "openapi.json")
OPERATOR = {"cognito:username": "olga", "sub": "1", "token_use": "id"}
CUSTOMER = "customer-0123456789"

ROUTES = {
    "POST /orders": "create_order",
    "GET /products": "storefront",
    "GET /products/{id}": "storefront",
    "GET /orders/{id}": "storefront",
    "GET /customers/{id}/orders": "storefront",
    "GET /admin/inventory": "operations",
    "GET /admin/orders": "operations",
    "GET /admin/orders/{id}": "operations",
    "POST /admin/orders/{id}/pay": "operations",
    "POST /admin/orders/{id}/ship": "operations",
    "GET /admin/vendor-orders": "operations",
    "POST /admin/vendor-orders/{id}/receive": "operations",
    "POST /admin/vendor-orders/{id}/cancel": "operations",
    "GET /admin/metrics": "operations",
}


@dataclass(frozen=True)
class Response:
    """An answer of the API."""

    status: int
    document: Any
    headers: dict[str, str]
    body: str
    """The text of `document`."""

    @property
    def error(self) -> tuple[int, str, str | None]:
        """The status, the code and the field of a refusal."""
        error = self.document["error"]
        assert error["message"]
        return self.status, error["code"], error.get("field")


class Firehose:
    """Stands in for the lake's Firehose stream; `refused(call, place)` says which records of a call it refuses."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.calls: list[int] = []
        self.refused: Callable[[int, int], bool] = lambda _call, _place: False

    def put_record_batch(
        self, *, DeliveryStreamName: str, Records: Sequence[dict[str, bytes]]
    ) -> dict[str, Any]:
        self.calls.append(len(Records))
        results: list[dict[str, str]] = []
        for place, record in enumerate(Records):
            if self.refused(len(self.calls), place):
                results.append({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": ""})
                continue
            results.append({"RecordId": str(place)})
            assert record["Data"].endswith(b"\n")
            self.lines += [json.loads(line) for line in record["Data"].split(b"\n")[:-1]]
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedPutCount": failed, "RequestResponses": results}


class Lambda:
    """Stands in for Lambda's API: invokes functions, and answers with their errors as Lambda does."""

    def __init__(self, functions: Mapping[str, Callable[[Any], Any]]) -> None:
        self.functions = functions
        self.events: list[tuple[str, dict[str, Any]]] = []

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:
        assert InvocationType == "RequestResponse"
        event = json.loads(Payload)
        self.events.append((FunctionName, event))
        try:
            answer = self.functions[FunctionName](event)
        except Exception as error:
            failure = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {
                "FunctionError": "Unhandled",
                "Payload": io.BytesIO(json.dumps(failure).encode()),
            }
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode())}


@dataclass
class ShopTables(Tables):
    """The shop's tables and functions; requests go to the environments in `warm`."""

    warm: dict[str, Function] = field(default_factory=dict)
    firehose: Firehose = field(default_factory=Firehose)
    lambda_: Lambda = field(default_factory=lambda: Lambda({}))

    def create(self) -> None:
        self.settings = {
            "SHOP_TABLE": self.prefix + TABLE,
            "TOTALS_TABLE": self.prefix + "UnifiedTableTotals",
            "AGGREGATE_TABLE": self.prefix + "UnifiedTableTotals",
            "REDUCE_TABLE": self.prefix + "UnifiedTableDeltas",
            "REGISTRY_TABLE": self.prefix + "UnifiedTableRegistry",
            "CONFIGURATION": json.dumps(CONFIGURATION),
            "LIMITS": "{}",
            "DELIVERY_STREAM": "shop-lake",
            "CREATE_VENDOR_ORDER_FUNCTION": "fnCreateVendorOrder",
            "WRITE_FIREHOSE_FUNCTION": "fnWriteFirehose",
            **self.settings,
        }
        self.dynamodb.create_table(
            **definition(
                self.prefix + TABLE,
                {"pk": "S", "sk": "S"},
                {"inventoryKey": "S", "ordersKey": "S", "ordersSort": "S"},
                GlobalSecondaryIndexes=[
                    index("inventory", "inventoryKey", "pk"),
                    index("orders", "ordersKey", "ordersSort"),
                ],
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            )
        )
        self._create("UnifiedTableDeltas", {"Lane": "S", "Source": "S"}, "NEW_IMAGE")
        self._create("UnifiedTableRegistry", {"Scope": "S", "Name": "S"})
        self._create("UnifiedTableTotals", {"Identifier": "S"})

    def client(self, real: Any, service: str, **arguments: Any) -> Any:
        """Return the stand-ins for Firehose and Lambda, and real clients for the rest."""
        stand_ins = {"firehose": self.firehose, "lambda": self.lambda_}
        return stand_ins.get(service) or super().client(real, service, **arguments)

    # -- rows

    def sell(self, product: str, qty: int = 100, price_cents: int = 250, **more: Any) -> None:
        """Add a product, or replace it."""
        given = {"reorder_below": 5, "reorder_qty": 50, **more}
        self.put(parts.item(product, product.title(), "Made for tests.", price_cents, qty, **given))

    def put(self, row: Mapping[str, Any]) -> None:
        """Write a row."""
        self.dynamodb.put_item(TableName=self.prefix + TABLE, Item=row)

    def delete(self, row: Mapping[str, Any]) -> None:
        """Delete a row."""
        key = {"pk": row["pk"], "sk": row["sk"]}
        self.dynamodb.delete_item(TableName=self.prefix + TABLE, Key=key)

    def row(self, pk: str, sk: str) -> Any:
        """A row in DynamoDB's JSON; None if there is none."""
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        return self.dynamodb.get_item(
            TableName=self.prefix + TABLE, Key=key, ConsistentRead=True
        ).get("Item")

    def stock(self, product: str) -> int:
        """The stock of a product."""
        return int(self.row(product, product)["qty"]["N"])

    def of_type(self, kind: str) -> list[Any]:
        """The rows of a type."""
        return [row for row in self.rows(TABLE) if row.get("itemType") == {"S": kind}]

    def records(self) -> list[Record]:
        """The records of the table's stream so far."""
        return self.stream_records(TABLE)

    def count(self, records: Sequence[Record] | None = None) -> None:
        """Deliver the table's stream, or these records of it, to Map, and Map's rows to Reduce."""
        given = self.records() if records is None else records
        self.function("map")(event(given, self.shard(TABLE)))
        changes = self.stream_records("UnifiedTableDeltas")
        self.function("reduce")(event(changes, self.shard("UnifiedTableDeltas")))

    def counts(self) -> dict[str, tuple[int, int]]:
        """The ordered and sold quantities by product, without products that have neither."""
        found = self._measured("Pieces")
        products = {name.partition(":")[2] for name in found if not name.endswith(":order")}
        pairs = {
            product: (found.get(f"ordered:{product}", 0), found.get(f"sold:{product}", 0))
            for product in products
        }
        return {product: pair for product, pair in pairs.items() if any(pair)}

    def totals(self) -> tuple[int, int, int]:
        """The number of orders, the number of shipped orders, and the revenue in cents."""
        counts, cents = self._measured("Count"), self._measured("RevenueCents")
        orders, shipped = "orders:order", "shipped:order"
        return counts.get(orders, 0), counts.get(shipped, 0), cents.get(orders, 0)

    def _measured(self, measure: str) -> dict[str, int]:
        rows = self.rows("UnifiedTableTotals")
        return {row["Identifier"]["S"]: int(row[measure]["N"]) for row in rows}

    # -- requests

    def request(
        self,
        route: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        claims: dict[str, Any] | None = None,
        environment: Function | None = None,
        **path: str,
    ) -> Response:
        """Send a request to a warm environment, or to `environment`; the OpenAPI document must allow the answer."""
        name = ROUTES[route]
        function = environment or self.warm.setdefault(name, self.function(name))
        if claims is None and "/admin/" in route:
            claims = OPERATOR
        answer = function(http_event(route, body, path, query, claims))
        assert answer["headers"]["content-type"] == "application/json"
        response = Response(
            answer["statusCode"], json.loads(answer["body"]), answer["headers"], answer["body"]
        )
        OPENAPI.check(route, response.status, response.document)
        return response

    def until_answered(self, body: dict[str, Any], environment: Function) -> Response:
        """Send an order until the answer is not 503, which many threads can cause on a small machine."""
        while True:
            answer = self.request("POST /orders", body, environment=environment)
            if answer.status != 503:
                return answer

    def change(self, what: str, order: str, **more: Any) -> Response:
        """An operator's request: to pay or ship an order, or to receive or cancel a vendor order."""
        kind = "orders" if what in ("pay", "ship") else "vendor-orders"
        return self.request(f"POST /admin/{kind}/{{id}}/{what}", id=order, **more)

    def order(self, *lines: tuple[str, int], **more: Any) -> Response:
        """POST /orders."""
        return self.request("POST /orders", order(*lines), **more)


def http_event(
    route: str,
    body: Any = None,
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    claims: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An event of an HTTP API, payload format 2.0, with the fields that the functions read."""
    event: dict[str, Any] = {"version": "2.0", "routeKey": route, "isBase64Encoded": False}
    event["requestContext"] = {"authorizer": {"jwt": {"claims": claims}}} if claims else {}
    if body is not None:
        event["headers"] = {"content-type": "application/json"}
        event["body"] = body.decode() if isinstance(body, bytes) else json.dumps(body)
    if path:
        event["pathParameters"] = path
    if query:
        event["queryStringParameters"] = query
    return event


def order(*lines: tuple[str, int], **changed: Any) -> dict[str, Any]:
    """The body of a new order of a new customer."""
    return {
        "clientToken": uuid.uuid4().hex,
        "customerId": uuid.uuid4().hex,
        "shippingOption": "standard",
        "lines": [{"productId": product, "qty": qty} for product, qty in lines],
        **changed,
    }
