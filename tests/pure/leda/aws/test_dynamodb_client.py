"""The clients of DynamoDB and DynamoDB Streams answer and fail as boto3's do, against a real HTTP server."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, NoRegionError

from leda.aws.dynamodb_client import connect, connect_streams, take_request_times
from support.scripted_server import Request, ScriptedServer, Step, Then, answer, chunked, serving

CALLS = (
    "batch_execute_statement",
    "batch_get_item",
    "get_item",
    "put_item",
    "query",
    "update_item",
)
STREAM = "arn:aws:dynamodb:eu-west-1:123456789012:table/T/stream/2026-01-02T00:00:00.000"
STATEMENT = {
    "Statement": 'UPDATE "T" SET "Value" = "Value" + ? WHERE "Identifier" = ?',
    "Parameters": [{"N": "1.5"}, {"S": "Zürich:€:\u2028:🎲"}],
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}
ITEM = {
    "Identifier": {"S": "Zürich:€:🎲"},
    "Value": {"N": "-1E-10"},
    "L": {"L": [{"N": "1"}, {"NULL": True}, {"BOOL": False}]},
    "M": {"M": {"a": {"SS": ["x", "y"]}}},
}


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest pauses that the client could have made, in seconds."""
    asked: list[float] = []
    monkeypatch.setattr("leda.aws.backoff.random.uniform", lambda _lowest, highest: highest)
    monkeypatch.setattr("leda.aws.dynamodb_client.time.sleep", asked.append)
    return asked


@contextmanager
def dynamodb(*steps: Step) -> Iterator[ScriptedServer]:
    """The endpoint that the environment names."""
    with serving(steps) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        yield server


def boto3_client(service: str = "dynamodb") -> Any:
    # A session of its own: the default one keeps the credentials that it has found for an earlier test.
    make: Any = boto3.session.Session().client
    return make(service, config=Config(retries={"total_max_attempts": 1}))


def metadata(response: Any) -> dict[str, Any]:
    """The ResponseMetadata of a response, without the field that boto3 adds after its last try."""
    found: dict[str, Any] = response["ResponseMetadata"]
    return {name: value for name, value in found.items() if name != "MaxAttemptsReached"}


def call(client: Any, name: str = "get_item", **request: Any) -> Any:
    return getattr(client, name)(**(request or {"TableName": "T", "Key": {"id": {"S": "1"}}}))


def error(code: str, status: int = 400, message: str = "why", **more: Any) -> bytes:
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    return answer({"__type": kind, "message": message, **more}, status)


def signed_for(request: Request) -> str:
    """The region and service in a request's signature: `.../20260102/eu-west-1/dynamodb/aws4_request`."""
    scope = request.headers["authorization"].partition(",")[0]
    return "/".join(scope.split("/")[2:4])


# -- requests and answers


@pytest.mark.parametrize("name", CALLS)
def test_a_request_has_the_operations_name_and_the_calls_arguments(name: str) -> None:
    arguments = {"TableName": "T", "Item": ITEM, "Statements": [STATEMENT]}
    with dynamodb(answer({"Item": ITEM})) as server:
        found = call(connect(), name, **arguments)

    (request,) = server.requests
    operation = "".join(word.title() for word in name.split("_"))
    assert request.headers["x-amz-target"] == f"DynamoDB_20120810.{operation}"
    assert json.loads(request.body) == arguments
    assert found["Item"] == ITEM


FAILED = {
    "Code": "ConditionalCheckFailed",
    "Message": "The conditional request failed",
    "Item": ITEM,
}
STATEMENT_ANSWER = {
    "Responses": [
        {"TableName": "T"},
        {"TableName": "T", "Error": FAILED},
        {"Error": {"Code": "ValidationError", "Message": "schlecht: ü"}},
    ]
}
STREAM_ANSWER = {"StreamDescription": {"Shards": [{"ShardId": "b", "ParentShardId": "a"}]}}


@pytest.mark.parametrize(
    ("make", "service", "name", "arguments", "body"),
    [
        (
            connect,
            "dynamodb",
            "batch_execute_statement",
            {"Statements": [STATEMENT]},
            STATEMENT_ANSWER,
        ),
        (
            connect_streams,
            "dynamodbstreams",
            "describe_stream",
            {"StreamArn": STREAM},
            STREAM_ANSWER,
        ),
    ],
    ids=["dynamodb", "streams"],
)
def test_requests_and_answers_are_the_same_as_boto3s(
    make: Callable[[], Any],
    service: str,
    name: str,
    arguments: dict[str, Any],
    body: dict[str, Any],
) -> None:
    with dynamodb(answer(body), answer(body)) as server:
        own, boto3s = (
            call(client, name, **arguments) for client in (make(), boto3_client(service))
        )

    assert own == {**boto3s, "ResponseMetadata": metadata(boto3s)}
    assert own["ResponseMetadata"]["HTTPStatusCode"] == 200
    ours, theirs = server.requests
    assert json.loads(ours.body) == json.loads(theirs.body)
    for header in ("host", "content-type", "x-amz-target", "x-amz-security-token"):
        assert ours.headers[header] == theirs.headers[header]
    assert signed_for(ours) == signed_for(theirs)


def test_threads_share_a_client() -> None:
    def echo(request: Request) -> bytes:
        return answer({"Item": json.loads(request.body)["Key"]})

    keys = [{"id": {"N": str(number)}} for number in range(300)]
    with dynamodb(*[echo] * len(keys)), ThreadPoolExecutor(16) as pool:
        client: Any = connect()
        answers = pool.map(lambda key: client.get_item(TableName="T", Key=key), keys)

        assert [each["Item"] for each in answers] == keys


def test_clients_of_one_endpoint_share_their_connections() -> None:
    with dynamodb(answer({}), answer({})) as server:
        for tries in (1, 3):
            call(connect(tries))

    assert server.connections == 1


def test_answered_requests_are_counted_and_timed_by_operation() -> None:
    take_request_times()
    with dynamodb(answer({}), answer({}), answer({}), Then(), Then()):
        client: Any = connect()
        for name in ("get_item", "put_item", "get_item"):
            call(client, name)
        with pytest.raises(ConnectionClosedError):
            call(client, "put_item")
    found = take_request_times()
    assert {name: count for name, (count, _) in found.items()} == {"GetItem": 2, "PutItem": 1}
    assert all(milliseconds > 0 for _, milliseconds in found.values())
    assert take_request_times() == {}


# -- errors


def raised(client: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call(client)
    return caught.value


@pytest.mark.parametrize(
    "step",
    [
        error("ConditionalCheckFailedException", Item=ITEM),
        error("ConditionalCheckFailedException", message="ü"),
        error("ProvisionedThroughputExceededException"),
        error("InternalServerError", 500),
        answer({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "no"}, 400),
        answer({"__type": "ValidationException"}, 400),
        answer({"__type": "ThrottlingException:http://internal.amazon.com/", "message": ""}, 400),
        answer({"message": "Missing Authentication Token"}, 403),
        answer({}, 400),
        answer(b"", 413),
        answer(b"no JSON", 500),
    ],
)
def test_an_error_is_the_same_as_boto3s(step: bytes) -> None:
    with dynamodb(step, step):
        own, boto3s = raised(connect()), raised(boto3_client())

    assert own.response["Error"] == boto3s.response["Error"]
    assert own.response.get("Item") == boto3s.response.get("Item")
    assert own.operation_name == boto3s.operation_name
    assert own.response["ResponseMetadata"] == metadata(boto3s.response)


@pytest.mark.parametrize("body", [b"<html><b>Service Unavailable</b></html>", b"", b"[1]"])
def test_an_error_without_a_dynamodb_code_has_the_http_status_as_its_code(body: bytes) -> None:
    with dynamodb(answer(body, 503)):
        found = raised(connect())

    assert found.response["Error"] == {"Code": "503", "Message": body.decode()}
    assert found.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_an_answer_with_a_wrong_checksum_is_an_error() -> None:
    with dynamodb(answer({}, x_amz_crc32="1")), pytest.raises(HTTPClientError, match="CRC32"):
        call(connect())


def test_an_answer_without_a_checksum_is_accepted() -> None:
    with dynamodb(chunked(b'{"Item": {"a": {"S": "b"}}}')):
        assert call(connect())["Item"] == {"a": {"S": "b"}}


def test_an_answer_that_is_not_json_is_an_error() -> None:
    with dynamodb(answer(b"{")), pytest.raises(HTTPClientError, match="not JSON"):
        call(connect())


# -- tries

SERVER_ERROR = error("InternalServerError", 500)
THROTTLED = error("ThrottlingException")
TRANSIENT = [
    SERVER_ERROR,
    answer(b"<html>", 503),
    THROTTLED,
    error("ProvisionedThroughputExceededException"),
    error("RequestLimitExceeded"),
    Then(),
    answer({}, x_amz_crc32="1"),
]


@pytest.mark.parametrize("step", TRANSIENT)
def test_with_three_tries_a_transient_error_is_retried_twice(step: Step) -> None:
    with dynamodb(step, step, answer({"Item": ITEM})) as server:
        found = call(connect(tries=3))

    assert found["Item"] == ITEM
    assert found["ResponseMetadata"]["RetryAttempts"] == 2
    assert len({request.body for request in server.requests}) == 1


@pytest.mark.parametrize("step", TRANSIENT)
def test_by_default_a_call_is_tried_once(step: Step, pauses: list[float]) -> None:
    with dynamodb(step, answer({})) as server, pytest.raises((ClientError, HTTPClientError)):
        call(connect())

    assert len(server.requests) == 1
    assert pauses == []


def test_the_error_of_the_last_try_is_raised() -> None:
    steps = [THROTTLED, SERVER_ERROR, error("InternalServerError", 500, "the last"), answer({})]
    with dynamodb(*steps) as server:
        found = raised(connect(tries=3))

    assert found.response["Error"]["Message"] == "the last"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "code", ["ConditionalCheckFailedException", "ValidationException", "AccessDeniedException"]
)
def test_an_error_that_a_retry_cannot_cure_is_not_retried(code: str) -> None:
    with dynamodb(error(code), answer({})) as server:
        found = raised(connect(tries=3))

    assert found.response["Error"]["Code"] == code
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("step", "longest"), [(SERVER_ERROR, [0.025, 0.05]), (THROTTLED, [1.0, 2.0])]
)
def test_pauses_between_tries_are_those_of_the_aws_sdk(
    step: Step, longest: list[float], pauses: list[float]
) -> None:
    with dynamodb(step, step, answer({})):
        call(connect(tries=3))

    assert pauses == longest


# -- where the endpoint is


def endpoint(made: Any = None) -> str:
    client: Any = made or connect()
    return str(client._connections.url)


def test_the_region_is_read_from_lambdas_variable_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "ap-southeast-2")

    assert endpoint() == "https://dynamodb.ap-southeast-2.amazonaws.com"


def test_a_client_without_a_region_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    with pytest.raises(NoRegionError):
        connect()


def test_an_endpoint_variable_of_one_service_overrides_the_general_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert endpoint() == "http://127.0.0.1:1"

    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://127.0.0.1:3")
    assert endpoint() == "http://127.0.0.1:2"
    assert endpoint(connect_streams()) == "http://127.0.0.1:3"


@pytest.mark.parametrize(
    ("region", "variable"),
    [
        ("us-east-1", None),
        ("mx-central-1", None),
        ("us-gov-west-1", None),
        ("cn-north-1", None),
        ("us-gov-west-1", "AWS_USE_FIPS_ENDPOINT"),
        ("us-east-1", "AWS_USE_DUALSTACK_ENDPOINT"),
    ],
)
def test_endpoints_are_the_same_as_boto3s(
    region: str, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    if variable:
        monkeypatch.setenv(variable, "true")

    assert endpoint() == boto3_client().meta.endpoint_url
    assert endpoint(connect_streams()) == boto3_client("dynamodbstreams").meta.endpoint_url


def test_a_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving([]) as proxy, dynamodb(answer({"Item": ITEM})):
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.endpoint)

        assert call(connect())["Item"] == ITEM
    assert proxy.connections == 0
