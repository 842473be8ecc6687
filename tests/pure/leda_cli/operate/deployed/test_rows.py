"""Rows are read by their keys, many at a time."""

import sys
from typing import Any

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.rows import rows_by_key
from leda_cli.operate.deployed.source_table import SourceTable


class Throttled:
    """A client of a table that has no read capacity left."""

    def batch_get_item(self, RequestItems: Any) -> Any:
        return {"Responses": {"Orders": []}, "UnprocessedKeys": RequestItems}


def test_the_error_of_a_throttled_table_names_the_command_to_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["leda", "rebuild", "--aws", "--map-function", "Orders Map"])
    client: Any = Throttled()
    with pytest.raises(LedaError, match="Orders is throttled: 1 row") as error:
        rows_by_key(
            client,
            SourceTable("Orders", {"id": "S"}),
            [{"id": {"S": "1"}}],
            ["id"],
            pause=lambda _seconds: None,
        )
    assert "run `leda rebuild --aws --map-function 'Orders Map'` again" in error.value.fix
