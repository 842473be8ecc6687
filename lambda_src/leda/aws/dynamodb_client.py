"""Clients for DynamoDB and its streams that take a small part of botocore's processor time.

They have some methods of boto3's clients, with the same names, arguments, answers and errors. Two things differ: binary
values stay the base64 text that DynamoDB sends (no attribute of LEDA is binary), and requests are not checked before
they are sent (as with `parameter_validation=False`). docs/decisions/0001-own-dynamodb-client.md has the reason and the
figures.

If DynamoDB sends a CRC32 of its answer, the client checks it, as botocore does. TLS does not protect an answer from
damage before it is encrypted, and a damaged answer would give wrong totals.
"""

import json
import os
import re
import time
import zlib
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from botocore.exceptions import ClientError, HTTPClientError, NoRegionError
from botocore.exceptions import ConnectionError as NoConnection

from leda.aws import clients
from leda.aws.backoff import full_jitter
from leda.aws.http_connections import Answer, Connections
from leda.aws.signature import Signer, credentials_from_environment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient


class _Service(NamedTuple):
    """A service: its name in boto3, its host, the prefix of X-Amz-Target, and its endpoint's environment variable."""

    name: str
    host: str
    target: str
    variable: str


_DYNAMODB = _Service("dynamodb", "dynamodb", "DynamoDB_20120810.", "AWS_ENDPOINT_URL_DYNAMODB")
_STREAMS = _Service(
    "dynamodbstreams",
    "streams.dynamodb",
    "DynamoDBStreams_20120810.",
    "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
)

# Regions with the endpoints dynamodb.<region>.amazonaws.com and streams.dynamodb.<region>.amazonaws.com. botocore knows
# the endpoints of the others. https://docs.aws.amazon.com/general/latest/gr/ddb.html
_REGION = re.compile(r"(?:af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-\d+")

# The errors that the SDK's standard mode tries again, and its first and longest pauses, which double with each try.
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
_REPEATED_STATUS = frozenset({500, 502, 503, 504})
_THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)
_PAUSE_SECONDS = 0.025
_THROTTLED_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 20.0


# Operation and milliseconds of the last answered requests of all clients. The limit matters if nobody takes them.
_answered: deque[tuple[str, float]] = deque(maxlen=1000)


def take_request_times() -> dict[str, tuple[int, float]]:
    """Return, by operation, the number of requests since the last call, and their milliseconds in all.

    The log has them, so that `leda prove` can report how long a function's requests take.
    """
    found: dict[str, tuple[int, float]] = {}
    while _answered:
        operation, milliseconds = _answered.popleft()
        count, total = found.get(operation, (0, 0.0))
        found[operation] = count + 1, round(total + milliseconds, 2)
    return found


def connect(tries: int = 1) -> "DynamoDBClient":
    """Return a client for the function's own region and role, which tries each call up to `tries` times.

    One try is for callers that write batches: their own backoff also sends smaller requests, and must see each failure.
    Three tries are the SDK's standard mode, in which a write may have its effect twice.

    The client has only the methods of `Client`. Raises NoRegionError, NoCredentialsError.
    """
    return cast("DynamoDBClient", _client(_DYNAMODB, tries))


def connect_streams() -> "DynamoDBStreamsClient":
    """Return a client for DescribeStream that tries a call three times; otherwise like `connect`."""
    return cast("DynamoDBStreamsClient", _client(_STREAMS, tries=3))


def _client(service: _Service, tries: int) -> "Client":
    # boto3 reads only AWS_DEFAULT_REGION. Lambda sets both.
    region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")
    if not region:
        raise NoRegionError()
    connections = _connections(_endpoint(service, region))
    # Requests to both services are signed for `dynamodb`.
    signer = Signer(credentials_from_environment(), region, "dynamodb", connections.host)
    return Client(connections, signer, service.target, tries)


@cache
def _connections(endpoint: str) -> Connections:
    """Return the connections to the endpoint, which all clients share."""
    return Connections(endpoint)


def _endpoint(service: _Service, region: str) -> str:
    variables = os.environ
    if url := variables.get(service.variable) or variables.get("AWS_ENDPOINT_URL"):
        return url
    is_special = any(
        variables.get(name, "").lower() == "true"
        for name in ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
    )
    if _REGION.fullmatch(region) and not is_special:
        return f"https://{service.host}.{region}.amazonaws.com"
    return str(clients.sdk(service.name, region_name=region).meta.endpoint_url)


class Client:
    """Sends the requests; for any number of threads."""

    def __init__(self, connections: Connections, signer: Signer, target: str, tries: int) -> None:
        self._connections = connections
        self._signer = signer
        self._target = target
        self._tries = tries

    def batch_execute_statement(self, **request: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html"""
        return self._call("BatchExecuteStatement", request)

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""
        return self._call("BatchGetItem", request)

    def describe_stream(self, **request: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html"""
        return self._call("DescribeStream", request)

    def get_item(self, **request: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html"""
        return self._call("GetItem", request)

    def put_item(self, **request: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html"""
        return self._call("PutItem", request)

    def query(self, **request: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html"""
        return self._call("Query", request)

    def update_item(self, **request: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html"""
        return self._call("UpdateItem", request)

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        body = _encode(request).encode()
        retries = 0
        while True:
            try:
                return self._call_once(operation, body, retries)
            except (ClientError, HTTPClientError, NoConnection) as error:
                retries += 1
                if retries >= self._tries or not _is_transient(error):
                    raise
                first = _THROTTLED_PAUSE_SECONDS if _is_throttled(error) else _PAUSE_SECONDS
                time.sleep(full_jitter(retries - 1, first, _LONGEST_PAUSE_SECONDS))

    def _call_once(self, operation: str, body: bytes, retries: int) -> dict[str, Any]:
        head = self._signer.head(self._target + operation, body)
        began = time.perf_counter()
        answer = self._connections.exchange(head + body)
        _answered.append((operation, (time.perf_counter() - began) * 1000))
        checksum = answer.headers.get("x-amz-crc32")
        if checksum is not None and int(checksum) != zlib.crc32(answer.body):
            raise HTTPClientError(error="the answer's CRC32 is not the one that DynamoDB sent")
        metadata = {
            "RequestId": answer.headers.get("x-amzn-requestid", ""),
            "HTTPStatusCode": answer.status,
            "HTTPHeaders": answer.headers,
            "RetryAttempts": retries,
        }
        if answer.status != 200:
            raise ClientError(_error(answer, metadata), operation)  # type: ignore[arg-type]
        try:
            found: dict[str, Any] = json.loads(answer.body.decode())
        except ValueError as error:
            raise HTTPClientError(error=f"the answer is not JSON: {error}") from error
        found["ResponseMetadata"] = metadata
        return found


_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def _error(answer: Answer, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return botocore's response of an error. The exception's own members, such as Item, are beside Error.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    """
    text = answer.body.decode(errors="replace")
    try:
        body = json.loads(text)
        members = body if isinstance(body, dict) else {"message": text}
    except ValueError:
        # A load balancer's page, or no body.
        members = {"message": text}
    kind = str(members.pop("__type", answer.status))
    code = kind.partition(":")[0].rpartition("#")[2]
    message = members.get("message", members.get("Message", ""))
    return {**members, "Error": {"Message": message, "Code": code}, "ResponseMetadata": metadata}


def _is_transient(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return True
    return _is_throttled(error) or (
        error.response["ResponseMetadata"]["HTTPStatusCode"] in _REPEATED_STATUS
    )


def _is_throttled(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in _THROTTLED
