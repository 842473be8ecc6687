"""StateTable's rows: what a message is stored as, and the message's time."""

from decimal import Decimal
from typing import Any

import pytest

from leda.pipeline import state_rows
from leda.pipeline.messages import Message

MESSAGE = Message("t1", 3, Decimal("1.50"), "PV:FXSpot", '{"a": "b"}', Decimal("1616413258.9"))
TOMBSTONE = Message("t1", 4, None, None, None, None)


def row(message: Message) -> dict[str, Any]:
    return dict(zip(state_rows.ATTRIBUTES, state_rows.values(message), strict=True))


def test_a_row_has_every_attribute_so_that_one_statement_serves_every_message() -> None:
    assert row(MESSAGE) == {
        "Version": {"N": "3"},
        "Value": {"N": "1.50"},
        "Path": {"S": "PV:FXSpot"},
        "Hierarchy": {"S": '{"a": "b"}'},
        "Timestamp": {"N": "1616413258.9"},
        "Deleted": {"BOOL": False},
    }
    assert set(row(TOMBSTONE)) == set(row(MESSAGE))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (row(MESSAGE), Decimal("1616413258.9")),
        (row(TOMBSTONE), None),
        (None, None),
        ({}, None),
        ({"Timestamp": {"S": "now"}}, None),
    ],
)
def test_the_timestamp_is_there_or_none(image: Any, expected: Decimal | None) -> None:
    assert state_rows.timestamp(image) == expected
