"""StateTable's rows: what a message is stored as, and what a stored row adds to the totals."""

from decimal import Decimal
from typing import Any

import pytest

from leda import images
from leda.images import Contribution, UnreadableImage
from leda.messages import Message

MESSAGE = Message("t1", 3, Decimal("1.50"), "PV:FXSpot", '{"a": "b"}', Decimal("1616413258.9"))
TOMBSTONE = Message("t1", 4, None, None, None, None)


def row(message: Message) -> dict[str, Any]:
    return dict(zip(images.ATTRIBUTES, images.values(message), strict=True))


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


def test_a_row_adds_its_value_at_its_path() -> None:
    assert images.contribution(row(MESSAGE)) == Contribution("PV:FXSpot", Decimal("1.5"))


@pytest.mark.parametrize(
    "image", [None, row(TOMBSTONE), row(MESSAGE) | {"Deleted": {"BOOL": True}}]
)
def test_no_row_and_a_deleted_trade_add_nothing(image: Any) -> None:
    assert images.contribution(image) is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"Path": {"NULL": True}}, "no Path"),
        ({"Path": {"S": ""}}, "no Path"),
        ({"Path": {"N": "1"}}, "no Path"),
        ({"Path": {"S": "x" * 2049}}, "Path"),
        ({"Path": {"S": "é" * 1025}}, "Path"),
        ({"Path": {"S": ":"}}, "Path"),
        ({"Path": {"S": ":a"}}, "Path"),
        ({"Path": {"S": "a::b"}}, "Path"),
        ({"Path": {"S": "a:"}}, "Path"),
        ({"Value": {"NULL": True}}, "no Value"),
        ({"Value": {"S": "5"}}, "no Value"),
        ({"Value": {"N": "1E+29"}}, "Value has more than 29 digits"),
        ({"Value": {"N": "1E-29"}}, "Value has more than 28 decimal places"),
        ({"Deleted": {"BOOL": False}, "Value": {"NULL": True}}, "no Value"),
        ({"Deleted": {"S": "true"}, "Path": {"NULL": True}}, "no Path"),
    ],
)
def test_a_row_that_cannot_be_counted_is_refused_with_the_reason(
    changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UnreadableImage, match=complaint):
        images.contribution(row(MESSAGE) | changes)


@pytest.mark.parametrize("attribute", ["Path", "Value"])
def test_a_row_without_an_attribute_is_refused(attribute: str) -> None:
    image = {name: value for name, value in row(MESSAGE).items() if name != attribute}

    with pytest.raises(UnreadableImage, match=f"no {attribute}"):
        images.contribution(image)


def test_a_row_of_the_fewest_attributes_counts() -> None:
    image = {"Path": {"S": "A"}, "Value": {"N": "1E+2"}}

    assert images.contribution(image) == Contribution("A", Decimal(100))


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
    assert images.timestamp(image) == expected
