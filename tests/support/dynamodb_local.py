"""Amazon's DynamoDB Local in a process of the test session."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from leda_cli.develop.instance import free_port

CREDENTIALS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}


def client(service: str, endpoint: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=20, max_pool_connections=32)
    sdk: Any = boto3  # the stubs want to know which service at type-checking time
    return sdk.client(service, endpoint_url=endpoint, config=config, **CREDENTIALS)


@contextmanager
def running(java: Path, folder: Path, log: Path) -> Iterator[str]:
    """Start the DynamoDB Local that is unpacked in `folder`, in memory; yields its endpoint."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    # The session ends before the optimizing compiler would save time (docs/local-aws.md).
    command = [str(java), "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    command += [f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}"]
    command += ["-jar", str(folder / "DynamoDBLocal.jar"), "-inMemory", "-sharedDb"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "-port", str(port), "-disableTelemetry"], stdout=output, stderr=output
        )
    try:
        _wait_until_ready(endpoint, process, log)
        yield endpoint
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_ready(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            client("dynamodb", endpoint).list_tables()
            return
        except BotoCoreError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"DynamoDB Local did not start: {log.read_text()}") from error
            time.sleep(0.1)
