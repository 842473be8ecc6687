"""The commands' DynamoDB client parses a scan's rows faster than boto3's and returns the same rows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from leda_cli.base.clients import local_client

ROW: dict[str, Any] = {
    "id": {"S": 'quoted "B": text, ü'},
    "n": {"N": "1.50"},
    "set": {"SS": ["a", "b"]},
    "deep": {"M": {"list": {"L": [{"BOOL": True}, {"NULL": True}]}, "empty": {"M": {}}}},
}
ANSWERS = {
    "Plain": (200, {"Items": [ROW] * 2, "Count": 2, "LastEvaluatedKey": {"id": {"S": "k"}}}),
    "Empty": (200, {"Items": [], "Count": 0}),
    "Bytes": (200, {"Items": [{"id": {"B": "AP8="}, "set": {"BS": ["AQ=="]}}], "Count": 1}),
    "Refused": (400, {"__type": "com.amazonaws#ValidationException", "message": "no"}),
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = ANSWERS[request["TableName"]]
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _both(endpoint: str) -> tuple[Any, Any]:
    names = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    ours = local_client(
        "dynamodb", {**names, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint}
    )
    sdk: Any = boto3
    keys = {name.lower(): value for name, value in names.items()}
    return ours, sdk.client("dynamodb", endpoint_url=endpoint, region_name="us-east-1", **keys)


@pytest.mark.parametrize("table", ["Plain", "Empty", "Bytes"])
def test_a_page_of_a_scan_equals_boto3s(endpoint: str, table: str) -> None:
    ours, plain = (client.scan(TableName=table) for client in _both(endpoint))
    for answer in (ours, plain):
        del answer["ResponseMetadata"]
    assert ours == plain
    assert ours["Count"] == len(ours["Items"])


def test_an_error_equals_boto3s(endpoint: str) -> None:
    for client in _both(endpoint):
        with pytest.raises(ClientError, match=r"\(ValidationException\).*: no"):
            client.scan(TableName="Refused")
