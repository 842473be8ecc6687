"""The demos read a function's quarantined records from all pages of the bucket."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.demos import refused_rows

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


def test_every_page_is_read() -> None:
    client: Any = Bucket("one", "two")
    found = list(refused_rows.quarantined(client, "quarantine", "fn"))
    assert found == [body("one"), body("two")]


def test_the_reason_of_a_row_is_found_by_its_key() -> None:
    client: Any = Bucket("one", "two")
    assert refused_rows.reason(client, "quarantine", "fn", KEY) == "why two"


def test_a_row_that_is_not_in_quarantine_is_an_error_that_names_the_log() -> None:
    client: Any = Bucket("one")
    with pytest.raises(LedaError, match="not in the quarantine bucket") as failure:
        refused_rows.reason(client, "quarantine", "fn", KEY)
    assert "/aws/lambda/fn" in str(failure.value.fix)
