"""No function fails for a malformed record, and the records beside it count.

Lambda delivers a failed batch again until its records expire. One record could so block a shard for a day, and lose the
records beside it.
"""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.any_record import changes, spoiled
from support.lambda_events import event
from support.log_lines import LogLines, recorded
from support.pipeline import SOURCES, Function, Pipeline
from support.shop import CUSTOMER, OPERATOR, ROUTES, Lambda, ShopTables, http_event, order
from support.users import Users

CREATED = 1_795_966_471
EXAMPLES = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_numbers = itertools.count(10**22)


def stream_record(
    stream: str, keys: dict[str, Any], new: dict[str, Any] | None, old: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A record of a DynamoDB stream as Lambda delivers it."""
    number = str(next(_numbers))
    name = "MODIFY" if old and new else "INSERT" if new else "REMOVE"
    images = {"NewImage": new and {**keys, **new}, "OldImage": old and {**keys, **old}}
    return {
        "eventID": f"event-{number}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "userIdentity": {"type": "Service", "principalId": "somebody"},
        "dynamodb": {
            "ApproximateCreationDateTime": CREATED,
            "Keys": keys,
            "SequenceNumber": number,
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{name: image for name, image in images.items() if image},
        },
        "eventSourceARN": stream,
    }


@dataclass
class System:
    """A function under test.

    `record` makes a record with the given name; `counted` returns the names of the records that had their effect.
    """

    function: Function
    record: Callable[[str], dict[str, Any]]
    counted: Callable[[LogLines], set[str]]
    of_kinesis: bool = False

    def event(self, records: list[Any]) -> dict[str, Any]:
        # A new shard for each event: a wrong sequence number would stay in the shard's checkpoint.
        return (
            {"Records": records} if self.of_kinesis else event(records, f"shardId-{next(_numbers)}")
        )


def arn(table: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/2026-01-01T00:00:00.000"


# -- the functions


def state(endpoint: str) -> System:
    pipeline = Pipeline(endpoint)

    def record(name: str) -> dict[str, Any]:
        hierarchy = {"RiskType": "PV", "TradeDesk": "FXSpot", "Region": "EMEA"}
        message = {"TradeID": name, "Version": 1, "Value": 1, "Hierarchy": hierarchy}
        found: dict[str, Any] = pipeline.kinesis_event(message)["Records"][0]
        return found

    return System(
        pipeline.function("state"),
        record,
        lambda _log: {row["id"]["S"] for row in pipeline.rows("StateTable")},
        of_kinesis=True,
    )


def process_records(endpoint: str) -> System:
    pipeline = Pipeline(endpoint)
    with mock.patch.object(sys, "path", [str(SOURCES / "process_records"), *sys.path]):
        importlib.invalidate_caches()
        function = pipeline.function("process_records")

    def counted(log: LogLines) -> set[str]:
        payloads = [line["payload"] for line in log.of("decoded payload")]
        return {payload for payload in payloads if isinstance(payload, str)}

    return System(
        function,
        lambda name: pipeline.kinesis_event(name.encode())["Records"][0],
        counted,
        of_kinesis=True,
    )


def map_(endpoint: str) -> System:
    pipeline = Pipeline(endpoint)
    stream = pipeline.stream_arn("StateTable")

    def record(name: str) -> dict[str, Any]:
        row = {
            "Version": {"N": "2"},
            "Value": {"N": "5"},
            "Path": {"S": f"PV:{name}"},
            "Hierarchy": {"S": "{}"},
            "Timestamp": {"N": "1795966471.5"},
            "Deleted": {"BOOL": False},
        }
        return stream_record(stream, {"id": {"S": name}}, row, {**row, "Value": {"N": "3"}})

    def counted(_log: LogLines) -> set[str]:
        return {
            node.partition(":")[2]
            for row in pipeline.rows("ReduceTable")
            for node in row["Totals"]["M"]
        }

    return System(pipeline.function("map"), record, counted)


def reduce_(endpoint: str) -> System:
    pipeline = Pipeline(endpoint)
    stream = pipeline.stream_arn("ReduceTable")

    def record(name: str) -> dict[str, Any]:
        keys = {"Lane": {"S": "3f2a9c01.1.0"}, "Source": {"S": f"label/{name}"}}
        amounts = {"L": [{"N": "1"}, {"N": "5"}]}
        row = {
            "Sequence": {"S": "0" * 40},
            "Measures": {"L": [{"S": "Count"}, {"S": "Value"}]},
            "Totals": {"M": {"PV": amounts, f"PV:{name}": amounts}},
            "Records": {"N": "1"},
            "OldestTimestamp": {"N": "1795966471.5"},
            "ExpiresAt": {"N": "1795966471"},
        }
        return stream_record(stream, keys, row)

    def counted(_log: LogLines) -> set[str]:
        return {row["Identifier"]["S"].partition(":")[2] for row in pipeline.rows("AggregateTable")}

    return System(pipeline.function("reduce"), record, counted)


def change_capture(endpoint: str) -> System:
    users = Users(Pipeline(endpoint))
    topic = mock.Mock()
    topic.publish_batch.return_value = {"Successful": []}
    real: Any = boto3.client
    users.pipeline.settings |= {
        "TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:changes",
        "COUNT_CHANGES": "true",
        "NOTIFY_PATTERNS": json.dumps(
            [{"changed": {"plan": {"new": ["gold"]}, "n": {"new": [{"numeric": ["<", 0]}]}}}]
        ),
    }
    with mock.patch(
        "boto3.client", lambda name, **more: topic if name == "sns" else real(name, **more)
    ):
        function = users.pipeline.function("change_capture")

    def counted(log: LogLines) -> set[str]:
        return {str(line["keys"].get("user_id")) for line in log.of("change")}

    return System(function, user_record, counted)


def table_replica(endpoint: str) -> System:
    users = Users(Pipeline(endpoint))
    return System(
        users.pipeline.function("table_replica"),
        user_record,
        lambda _log: {user for user, _ in users.replica()},
    )


def user_record(name: str) -> dict[str, Any]:
    keys = {"user_id": {"S": name}, "timestamp": {"N": "1"}}
    old = {"plan": {"S": "free"}, "n": {"N": "1"}, "tags": {"SS": ["a", "b"]}, "b": {"B": "AAE="}}
    new = {"plan": {"S": "gold"}, "n": {"N": "-2"}, "l": {"L": [{"M": {"x": {"NS": ["1", "2"]}}}]}}
    return stream_record(arn("Users"), keys, new, old)


def part_record(name: str) -> dict[str, Any]:
    row = {
        "itemType": {"S": "part"},
        "inventoryKey": {"S": "part"},
        "name": {"S": "Vest"},
        "description": {"S": "-"},
        **{
            name: {"N": "7"}
            for name in ("priceCents", "qty", "reorderBelow", "reorderQty", "restocks")
        },
    }
    low = {**row, "qty": {"N": "1"}}
    return stream_record(arn("UnifiedTable"), {"pk": {"S": name}, "sk": {"S": name}}, low, row)


def create_vendor_order(endpoint: str) -> System:
    shop = ShopTables(endpoint)

    def record(name: str) -> dict[str, Any]:
        shop.sell(name, qty=1)
        return part_record(name)

    return System(
        shop.function("create_vendor_order"),
        record,
        lambda _log: {row["productId"]["S"] for row in shop.of_type("vendorOrder")},
    )


def write_firehose(endpoint: str) -> System:
    shop = ShopTables(endpoint)
    return System(
        shop.function("write_firehose"),
        part_record,
        lambda _log: {str(line.get("pk")) for line in shop.firehose.lines},
    )


def read_stream(endpoint: str) -> System:
    shop = ShopTables(endpoint)
    shop.lambda_ = Lambda(
        {
            "fnCreateVendorOrder": shop.function("create_vendor_order"),
            "fnWriteFirehose": shop.function("write_firehose"),
        }
    )
    return System(
        shop.function("read_stream"),
        part_record,
        lambda _log: {str(line.get("pk")) for line in shop.firehose.lines},
    )


SYSTEMS: dict[str, Callable[[str], System]] = {
    "State": state,
    "record processor": process_records,
    "Map": map_,
    "Reduce": reduce_,
    "change capture": change_capture,
    "replica": table_replica,
    "shop vendor orders": create_vendor_order,
    "shop lake": write_firehose,
    "shop fan-out": read_stream,
}


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request: pytest.FixtureRequest, dynamodb_endpoint: str) -> System:
    return SYSTEMS[request.param](dynamodb_endpoint)


def deliver(system: System, spoil: Callable[[dict[str, Any]], Any]) -> set[int]:
    """Deliver three records, the second one spoiled; returns the places of those that had their effect."""
    names = [f"name-{next(_numbers)}" for _ in range(3)]
    first, middle, last = map(system.record, names)

    with recorded() as log:
        answer = system.function(system.event([first, spoil(middle), last]))

    # No record is reported as failed: unreadable ones are quarantined.
    assert not (answer or {}).get("batchItemFailures")
    counted = system.counted(log)
    return {place for place, name in enumerate(names) if name in counted}


def test_valid_records_count(system: System) -> None:
    assert deliver(system, lambda record: record) == {0, 1, 2}


@EXAMPLES
@given(data=st.data())
def test_no_malformed_record_fails_a_function_and_the_records_beside_it_count(
    system: System, data: st.DataObject
) -> None:
    wrongs = data.draw(changes(system.record("any")))

    assert deliver(system, lambda record: spoiled(record, wrongs)) >= {0, 2}


@pytest.mark.parametrize("record", [None, "text", 5, [], {}], ids=repr)
def test_a_value_that_is_no_record_is_quarantined_and_the_records_beside_it_count(
    system: System, record: Any
) -> None:
    assert deliver(system, lambda _record: record) == {0, 2}


# -- requests to the shop

# The parts of the event that a client can choose.
REQUESTS: dict[str, dict[str, Any]] = {
    "POST /orders": {"body": order(("vest", 1), ("axe", 2))},
    "GET /products": {"query": {"limit": "5", "cursor": "dmVzdA"}},
    "GET /products/{id}": {"path": {"id": "vest"}},
    "GET /orders/{id}": {"path": {"id": "0" * 32}},
    "GET /customers/{id}/orders": {"path": {"id": CUSTOMER}, "query": {"limit": "5"}},
    "GET /admin/orders": {"query": {"status": "Shipped", "limit": "5", "cursor": "dmVzdA"}},
    "POST /admin/orders/{id}/ship": {"path": {"id": "0" * 32}},
    "POST /admin/vendor-orders/{id}/receive": {"path": {"id": "vest-0"}},
}


@pytest.fixture(scope="module")
def shop(dynamodb_endpoint: str) -> ShopTables:
    shop = ShopTables(dynamodb_endpoint)
    shop.sell("vest")
    return shop


@pytest.mark.parametrize("route", REQUESTS)
@EXAMPLES
@given(data=st.data())
def test_no_malformed_request_makes_the_shop_answer_500(
    shop: ShopTables, route: str, data: st.DataObject
) -> None:
    function = shop.warm.setdefault(ROUTES[route], shop.function(ROUTES[route]))
    wrongs = data.draw(changes(REQUESTS[route]))
    asked = spoiled(REQUESTS[route], wrongs)

    event = http_event(
        route, asked.get("body"), _texts(asked.get("path")), _texts(asked.get("query")), OPERATOR
    )
    answer = function(event)

    # 500 would set off the alarm for failures of the shop.
    assert answer["statusCode"] in range(200, 500)
    json.loads(answer["body"])


def _texts(parameters: Any) -> dict[str, str] | None:
    """Parameters as they are in an event: strings."""
    if not isinstance(parameters, dict):
        return None
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in parameters.items()
    }
