"""StateTable's rows: the attributes of a stored message, and its timestamp."""

from decimal import Decimal
from typing import Any

import pytest

from leda.pipeline import state_rows
from leda.pipeline.messages import Message

MESSAGE = Message("t1", 3, Decimal("1.50"), "PV:FXSpot", '{"a": "b"}', Decimal("1616413258.9"))
TOMBSTONE = Message("t1", 4, None, None, None, None)


def row(message: Message) -> dict[str, Any]:
    return dict(zip(state_rows.ATTRIBUTES, state_rows.values(message), strict=True))


def test_every_row_has_every_attribute() -> None:
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
def test_the_timestamp_is_read_from_an_image(image: Any, expected: Decimal | None) -> None:
    assert state_rows.timestamp(image) == expected
