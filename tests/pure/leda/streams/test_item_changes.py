"""The change that a stream record describes: event, keys, changed attributes, and no redacted value."""

import json
from decimal import Decimal
from typing import Any

import pytest

from leda.streams import item_changes
from leda.streams.item_changes import UnreadableChangeError, fitted, read
from leda.values.dynamodb_json import REDACTED

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/Users/stream/2025-01-01T00:00:00.000"
KEYS = {"user_id": {"S": "u1"}, "timestamp": {"N": "1700000000"}}


def record(old: dict[str, Any] | None, new: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """A stream record as Lambda delivers it, whose images are `old` and `new` with the keys."""
    name = (
        "MODIFY" if old is not None and new is not None else "INSERT" if old is None else "REMOVE"
    )
    change = {
        "ApproximateCreationDateTime": 1735689600.0,
        "Keys": KEYS,
        "SequenceNumber": "4421584500000000017450439091",
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        **({} if old is None else {"OldImage": {**KEYS, **old}}),
        **({} if new is None else {"NewImage": {**KEYS, **new}}),
    }
    return {
        "eventID": "c4ca42",
        "eventName": name,
        "eventSourceARN": ARN,
        "dynamodb": change,
    } | more


def test_an_update_has_the_old_and_new_values_of_changed_attributes() -> None:
    old = {"email": {"S": "a"}, "phone": {"S": "1"}, "age": {"N": "7"}}
    new = {"email": {"S": "b"}, "age": {"N": "7"}, "note": {"NULL": True}}

    assert read(record(old, new)).document() == {
        "event": "update",
        "table": "Users",
        "keys": {"user_id": "u1", "timestamp": 1700000000},
        "changed": {
            "email": {"old": "a", "new": "b"},
            "note": {"new": None},
            "phone": {"old": "1"},
        },
        "changed_at": "2025-01-01T00:00:00+00:00",
        "sequence_number": "4421584500000000017450439091",
        "event_id": "c4ca42",
    }


def test_a_creation_and_a_deletion_have_all_attributes_but_the_keys() -> None:
    image = {"email": {"S": "a"}}

    created, deleted = read(record(None, image)), read(record(image, None))

    assert (created.event, created.document()["changed"]) == ("create", {"email": {"new": "a"}})
    assert (deleted.event, deleted.document()["changed"]) == ("delete", {"email": {"old": "a"}})


def test_an_item_removed_by_time_to_live_has_expired() -> None:
    by_dynamodb = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

    assert read(record({}, None, userIdentity=by_dynamodb)).event == "expire"
    assert read(record({}, None, userIdentity={"type": "User"})).event == "delete"


def test_a_redacted_attribute_is_named_without_its_values() -> None:
    old = {"password": {"S": "hunter2"}, "card": {"M": {"password": {"S": "hunter2"}}}}
    new = {"password": {"S": "hunter3"}, "card": {"M": {"password": {"S": "hunter3"}}}}
    change = read(record(old, new))

    shown = change.document({"password", "user_id"})

    assert shown["changed"]["password"] == {"old": REDACTED, "new": REDACTED}
    assert shown["changed"]["card"] == {
        "old": {"password": REDACTED},
        "new": {"password": REDACTED},
    }
    assert shown["keys"] == {"user_id": REDACTED, "timestamp": 1700000000}
    assert "hunter" not in json.dumps(shown)
    assert "u1" not in json.dumps(shown)


def test_equal_values_in_another_notation_have_not_changed() -> None:
    old = {
        "total": {"N": "100"},
        "tags": {"SS": ["a", "b"]},
        "codes": {"NS": ["1", "2"]},
        "address": {"M": {"zip": {"N": "8000"}, "labels": {"BS": ["AA==", "AQ=="]}}},
        "email": {"S": "a"},
    }
    new = {
        "total": {"N": "1E+2"},
        "tags": {"SS": ["b", "a"]},
        "codes": {"NS": ["2.0", "1"]},
        "address": {"M": {"labels": {"BS": ["AQ==", "AA=="]}, "zip": {"N": "8000.0"}}},
        "email": {"S": "b"},
    }

    assert read(record(old, new)).document()["changed"] == {"email": {"old": "a", "new": "b"}}


def test_numbers_can_be_exact_decimals() -> None:
    new = {"balance": {"N": "0.12345678901234567890"}}

    (shown,) = read(record(None, new)).document(number=Decimal)["changed"].values()

    assert shown == {"new": Decimal("0.12345678901234567890")}


UNREADABLE: dict[str, tuple[dict[str, Any], str]] = {
    "no change": ({"eventName": "INSERT", "eventSourceARN": ARN}, "no 'dynamodb'"),
    "no sequence number": (
        {"eventName": "INSERT", "eventSourceARN": ARN, "dynamodb": {}},
        "SequenceNumber",
    ),
    "another event": (record(None, {}) | {"eventName": "EXPLODE"}, "eventName"),
    "no keys": (
        {**record(None, {}), "dynamodb": {**record(None, {})["dynamodb"], "Keys": {}}},
        "no Keys",
    ),
    "an image is missing": (
        {**record(None, {}), "eventName": "MODIFY"},
        "must carry NEW_AND_OLD_IMAGES",
    ),
    "another source": ({**record(None, {}), "eventSourceARN": "arn:aws:sqs:x"}, "eventSourceARN"),
}


@pytest.mark.parametrize(("raw", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_record_is_refused_with_the_reason(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(UnreadableChangeError, match=said):
        read(raw)


def test_a_value_of_an_unknown_type_is_unreadable() -> None:
    with pytest.raises(UnreadableChangeError, match="unknown type") as error:
        read(record(None, {"x": {"Z": "hunter2"}}))
    assert "hunter2" not in str(error.value)


def test_a_change_that_fits_is_not_shortened() -> None:
    document = read(record(None, {"a": {"S": "x" * 100_000}})).document()

    assert fitted(document) is document


def test_the_names_of_omitted_attributes_are_limited_by_bytes() -> None:
    names = [f"{number:03}" + "\U0001f600" * 1_000 for number in range(200)]
    document = read(record(None, {})).document()
    document["changed"] = {name: {"new": "x" * 3_000} for name in names}

    shown = fitted(document)

    assert len(json.dumps(shown)) <= item_changes.MAX_BYTES
    assert len(shown["left_out"]["names"]) == 100
    assert shown["left_out"]["names"][0].startswith("0")


@pytest.mark.parametrize(
    ("attributes", "first"), [(1, "large0"), (3, "large0"), (30_000, "large10000")]
)
def test_a_change_that_is_too_large_omits_its_largest_attributes(
    attributes: int, first: str
) -> None:
    large = {f"large{n}": {"S": "x" * (600_000 // attributes)} for n in range(attributes)}
    document = read(record(large, {**large, "small": {"S": "y"}})).document()
    document["changed"] |= {name: {"old": large[name]["S"], "new": "z"} for name in large}

    shown = fitted(document)

    assert len(json.dumps(shown)) <= item_changes.MAX_BYTES
    assert shown["changed"]["small"] == {"new": "y"}
    kept = len(shown["changed"])
    assert shown["left_out"]["attributes"] == attributes + 1 - kept
    assert len(shown["left_out"]["names"]) == min(attributes, 100)
    assert shown["left_out"]["names"][0] == first
