"""Reading the totals table."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from leda.engine.audit.totals_table import read_totals, rows_of_groupings
from leda.engine.group_by.configuration import Configuration
from support.scanned_table import Table


def test_rows_without_numbers_and_reserved_rows_are_not_totals() -> None:
    table: Any = Table(
        [
            {"Identifier": {"S": "a"}, "Value": {"N": "1.50"}, "Count": {"N": "2"}},
            {"Identifier": {"S": "b"}, "Value": {"S": "x"}, "Count": {"N": "1"}},
            {"Identifier": {"S": "c"}},
            {"Identifier": {"S": "d"}, "Value": {"N": "0"}, "Count": {"N": "0"}},
            {"Identifier": {"S": "e"}, "Value": {"N": "7"}, "Count": {"N": "0"}},
            {"Identifier": {"S": ":rebuild:1:2:a.1.0"}, "Value": {"N": "7"}, "Count": {"N": "1"}},
        ]
    )
    assert dict(read_totals(table, "AggregateTable", ("Count", "Value"), "Identifier")) == {
        "a": (2, Decimal("1.5")),
        "b": (1, 0),
        "e": (0, 7),
    }


def test_rows_are_counted_by_grouping_including_totals_of_0() -> None:
    measures = {"Count": {"op": "count"}}
    rows: list[dict[str, Any]] = [
        {"User": {"S": name}, "Count": {"N": count}}
        for name, count in [("daily:a", "1"), ("daily:b", "0"), ("tags:a:b", "3"), (":x", "1")]
    ]
    table: Any = Table(rows)

    def counted(**more: Any) -> Mapping[str, int]:
        document = json.dumps(
            {"group_by": {"daily": {"keys": ["a"]}}, "measures": measures, **more}
        )
        return rows_of_groupings(table, "Totals", "User", Configuration.from_json(document))

    assert counted() == {"daily": 2, "tags": 1}
    assert counted(identifiers="plain") == {"daily": 3}
