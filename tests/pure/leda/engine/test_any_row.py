"""Every row either counts or is refused with a reason, whatever its attributes hold, and always with the same result.

If Map raised any other error, Lambda would deliver the batch again until the stream no longer has it.
"""

import decimal
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leda.engine.group_by.configuration import Configuration
from leda.streams.changes import UnreadableRowError
from leda.values.numbers import WIDE
from support.any_record import WRONG, changes, spoiled

CONFIGURATION = Configuration.from_json(
    json.dumps(
        {
            "group_by": {
                "nested": {"keys": ["detail.region as region", "number"], "rollup": True},
                "hours": {"keys": ["at:hour"], "retention_days": 3},
                "tags": {"keys": ["tags[]", "seconds:month as month"]},
                "urgent": {
                    "keys": ["source"],
                    "where": {"urgency": ["high"], "detail.flag": ["true"]},
                    "missing": {"source": "unknown", "detail.flag": "true"},
                },
            },
            "measures": {
                "Count": {"op": "count"},
                "Score": {"op": "sum", "field": "detail.score"},
                "Weight": {"op": "sum", "field": "weight", "missing": 1},
            },
        }
    )
)
ROW: dict[str, Any] = {
    "id": {"S": "1"},
    "number": {"N": "100"},
    "at": {"S": "2026-08-01T13:05:59+01:00"},
    "seconds": {"N": "1785589500"},
    "tags": {"L": [{"S": "late"}, {"N": "7"}, {"BOOL": True}]},
    "source": {"S": "web:mobile"},
    "urgency": {"S": "high"},
    "detail": {"M": {"region": {"S": "EMEA"}, "flag": {"BOOL": True}, "score": {"N": "-0.75"}}},
    "weight": {"N": "2"},
}


def result(row: Any) -> Any:
    """The row's contribution and the labels of its totals, or the reason why it cannot be counted."""
    try:
        added = CONFIGURATION.contribution(row)
    except UnreadableRowError as error:
        return str(error)
    if added is None:
        return None
    leaves = [node for leaf in added.leaves for node in CONFIGURATION.nodes(leaf)]
    return added, [CONFIGURATION.labels(node) for node in leaves], added.negated().negated()


def test_a_complete_row_counts_in_every_grouping() -> None:
    added, labels, twice = result(ROW)
    assert {each.grouping for each in labels} == {"nested", "hours", "tags", "urgent"}
    assert added.amounts == (1, decimal.Decimal("-0.75"), 2)
    assert twice == added


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_any_row_has_the_same_result_in_any_decimal_context(data: st.DataObject) -> None:
    row = spoiled(ROW, data.draw(changes(ROW)))
    if not isinstance(row, dict):
        return
    found = result(row)
    with decimal.localcontext(WIDE):
        assert result(row) == found


@pytest.mark.parametrize("name", sorted(ROW))
@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_any_value_of_any_attribute_gives_a_result(name: str, wrong: str) -> None:
    result(spoiled(ROW, [((name,), wrong)]))
