"""An applied example as its demo and its tests use it: names, rows, invocations, and deliveries of a stream."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from leda_cli.base.errors import LedaError
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.redelivery import Redelivery
from leda_cli.demos.what_next import say_what_next


@dataclass(frozen=True)
class AppliedExample:
    """The example of a demo."""

    aws: ExampleAws

    @cached_property
    def dynamodb(self) -> Any:
        """The client, made at its first use."""
        return self.aws.client("dynamodb")

    @cached_property
    def lambdas(self) -> Any:
        """The client, made at its first use."""
        return self.aws.client("lambda")

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The outputs that belong to this part of the example."""
        return self.aws.outputs

    @property
    def bucket(self) -> str:
        """The quarantine bucket's name."""
        return str(self.outputs["quarantine_bucket"]["name"])

    def scan(self, table: str) -> Iterator[dict[str, Any]]:
        """Read every row of a table consistently, in DynamoDB's JSON."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        for page in pages:
            yield from page["Items"]

    def invoke(self, function: str, event: str) -> dict[str, Any]:
        """Invoke a function. Raises LedaError when it fails."""
        answer = self.lambdas.invoke(FunctionName=function, Payload=event)
        text = answer["Payload"].read().decode(errors="replace")
        if "FunctionError" in answer:
            raise LedaError(
                f"{function} failed: {text[:500]}", f"Read its log: /aws/lambda/{function}"
            )
        found: dict[str, Any] = json.loads(text)
        return found

    def redelivery(self, stream: str, function: str, draw: random.Random) -> Redelivery:
        """Second deliveries of a table's stream to a function."""
        streams = self.aws.client("dynamodbstreams")
        return Redelivery(streams, self.lambdas, stream, function, draw)

    def quarantined(self, function: str) -> Iterator[dict[str, Any]]:
        """Read every object that the function has put into the quarantine bucket."""
        s3 = self.aws.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{function}/"
        )
        for page in pages:
            for entry in page.get("Contents", []):
                yield json.loads(s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read())

    def refusal(self, function: str, key: Mapping[str, Any]) -> str:
        """Why the function has quarantined the row with that key. Raises LedaError where it has not."""
        for body in self.quarantined(function):
            if json.loads(base64.b64decode(body["data"]))["dynamodb"]["Keys"] == key:
                return str(body["reason"])
        raise LedaError(
            f"The row {json.dumps(key)}, which cannot be counted, is not in the quarantine bucket {self.bucket}.",
            f"Read the function's log: /aws/lambda/{function}",
        )

    def say_what_next(self, *commands: str) -> None:
        """Print what stays running, these commands, and how to play the demo again."""
        again = f"make demo EXAMPLE={self.aws.name}"
        say_what_next(self.aws.endpoint, "the example", (*commands, again))
