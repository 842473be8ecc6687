"""The demos read a function's quarantined records from all pages of the bucket."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.demos.applied_example import AppliedExample

KEY = {"id": {"S": "two"}}


def body(name: str) -> dict[str, str]:
    record = {"dynamodb": {"Keys": {"id": {"S": name}}}}
    data = base64.b64encode(json.dumps(record).encode()).decode()
    return {"data": data, "reason": f"why {name}"}


class Bucket:
    """An S3 client whose listing has a page for each object, and an empty one before them."""

    def __init__(self, *names: str) -> None:
        self.objects = {f"fn/{name}": body(name) for name in names}

    def get_paginator(self, _operation: str) -> Bucket:
        return self

    def paginate(self, **place: str) -> Iterator[dict[str, Any]]:
        assert place == {"Bucket": "quarantine", "Prefix": "fn/"}
        yield {}
        for key in self.objects:
            yield {"Contents": [{"Key": key}]}

    def get_object(self, **place: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(json.dumps(self.objects[place["Key"]]).encode())}


def applied(*names: str) -> AppliedExample:
    aws: Any = SimpleNamespace(
        client=lambda _service: Bucket(*names),
        outputs={"quarantine_bucket": {"name": "quarantine"}},
    )
    return AppliedExample(aws)


def test_the_reason_of_a_row_is_found_by_its_key_on_any_page() -> None:
    example = applied("one", "two")
    assert list(example.quarantined("fn")) == [body("one"), body("two")]
    assert example.refusal("fn", KEY) == "why two"


def test_a_row_that_is_not_in_quarantine_is_an_error_that_names_the_log() -> None:
    with pytest.raises(LedaError, match="not in the quarantine bucket") as failure:
        applied("one").refusal("fn", KEY)
    assert "/aws/lambda/fn" in str(failure.value.fix)
