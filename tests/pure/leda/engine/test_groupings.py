"""Groupings: which totals a row counts in, what they are called, and which definitions are refused."""

import decimal
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.engine.configuration import MAX_IMAGE_BYTES, Configuration, ConfigurationError
from leda.engine.groupings import Labels, escaped, unescaped
from leda.streams.changes import UnreadableRowError

COUNT = {"Count": {"op": "count"}}


def configuration(group_by: Any, measures: Any = COUNT, **more: Any) -> Configuration:
    return Configuration.from_json(json.dumps({"group_by": group_by, "measures": measures, **more}))


def leaves(keys: list[str], image: dict[str, Any], **grouping: Any) -> tuple[str, ...]:
    """The identifiers of the totals that the row counts in, under one grouping `g`."""
    found = configuration({"g": {"keys": keys, **grouping}}).contribution(image)
    return found.leaves if found else ()


FEEDBACK: dict[str, Any] = {
    "id": {"S": "f1"},
    "date": {"S": "2026-08-01"},
    "source_platform": {"S": "web"},
    "urgency": {"S": "high"},
    "score": {"N": "0.5"},
    "stars": {"N": "5"},
    "is_paid": {"BOOL": False},
    "tags": {"L": [{"S": "a"}, {"S": "b"}, {"S": "a"}, {"N": "1"}]},
    "labels": {"SS": ["x", "y"]},
    "detail": {"M": {"region": {"S": "EU"}, "size": {"N": "2"}}},
    "created_at": {"N": "1785589505"},
}


def test_a_row_counts_once_in_each_grouping_that_takes_it() -> None:
    feedback = configuration(
        {
            "daily": {"keys": ["date"]},
            "source": {"keys": ["source_platform", "date"]},
            "urgent": {"keys": ["date"], "where": {"urgency": ["high", "highest"]}},
            "calm": {"keys": ["date"], "where": {"urgency": ["low"]}},
        },
        {**COUNT, "Score": {"op": "sum", "field": "score"}},
    )

    found = feedback.contribution(FEEDBACK)

    assert found
    assert found.leaves == ("daily:2026-08-01", "source:web:2026-08-01", "urgent:2026-08-01")
    assert found.amounts == (1, Decimal("0.5"))


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("date", ["2026-08-01"]),
        ("stars", ["5"]),
        ("is_paid", ["false"]),
        ("detail.region", ["EU"]),
        ("detail.region as region", ["EU"]),
        ("tags[]", ["a", "b", "1"]),
        ("labels[]", ["x", "y"]),
        ("created_at:minute", ["2026-08-01T13%3A05"]),
        ("created_at:hour", ["2026-08-01T13"]),
        ("created_at:day", ["2026-08-01"]),
        ("created_at:month", ["2026-08"]),
    ],
)
def test_a_key_is_a_text_an_element_or_a_time(key: str, texts: list[str]) -> None:
    assert leaves([key], FEEDBACK) == tuple(f"g:{text}" for text in texts)


@pytest.mark.parametrize(
    ("value", "hour"),
    [
        ({"N": "0"}, "1970-01-01T00"),
        ({"N": "-0.5"}, "1969-12-31T23"),
        ({"N": "1785589505.999"}, "2026-08-01T13"),
        ({"N": "99999999999"}, "5138-11-16T09"),
        ({"N": "100000000000"}, "1973-03-03T09"),
        ({"N": "1785589505123"}, "2026-08-01T13"),
        ({"N": "-62135596800"}, "0001-01-01T00"),
        ({"S": "2026-08-01"}, "2026-08-01T00"),
        ({"S": "2026-08-01T13:05"}, "2026-08-01T13"),
        ({"S": "2026-08-01 13:05:59"}, "2026-08-01T13"),
        ({"S": "2026-08-01T13:05:59.123456789Z"}, "2026-08-01T13"),
        ({"S": "2026-08-01T23:30:00-01:30"}, "2026-08-02T01"),
        ({"S": "2026-08-01T00:30:00+0100"}, "2026-07-31T23"),
    ],
)
def test_a_time_is_put_into_its_hour_of_utc(value: Any, hour: str) -> None:
    assert leaves(["t:hour"], {"t": value}) == (f"g:{hour}",)


@pytest.mark.parametrize("digits", [9, 28, 38, 400])
def test_a_time_is_in_one_hour_whatever_the_digits_of_the_context(digits: int) -> None:
    """Map reads rows with Python's 28 digits, and `leda verify` with others."""
    value = {"N": "99999999999.999999999999999999999"}
    with decimal.localcontext(decimal.Context(prec=digits)):
        assert leaves(["t:hour"], {"t": value}) == ("g:5138-11-16T09",)


@pytest.mark.parametrize(
    "value",
    [
        {"N": "1E+30"},
        {"N": "-1E+30"},
        {"N": "253402300800000000"},
        {"N": "no number"},
        {"S": ""},
        {"S": "today"},
        {"S": "1785589505"},
        {"S": "2026-13-01"},
        {"S": "2026-02-30T00:00"},
        {"S": "2026-08-01T24:00"},
        {"S": "2026-08-01T13:05+24:00"},
        {"S": "0001-01-01T00:00+01:00"},
        {"S": "２０２６-08-01"},
        {"BOOL": True},
        {"M": {}},
    ],
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(UnreadableRowError, match="t is not a time"):
        leaves(["t:day"], {"t": value})


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        ({}, "no k"),
        ({"k": {"NULL": True}}, "no k"),
        ({"k": {"L": []}}, "k is not a string, a number or a boolean"),
        ({"k": {"B": "eA=="}}, "k is not a string"),
        # `g:` and the key; a sort key of the index Children has no more.
        ({"k": {"S": "x" * 1023}}, "1024 bytes of a key"),
        ({"k": {"S": "é" * 512}}, "1024 bytes of a key"),
        ({"k": {"S": "\ud800"}}, "Unicode"),
    ],
)
def test_a_row_without_a_text_for_a_key_is_refused_with_the_reason(
    image: Any, complaint: str
) -> None:
    with pytest.raises(UnreadableRowError, match=complaint):
        leaves(["k"], image)


@pytest.mark.parametrize(
    "value", [{"S": "a"}, {"L": [{"L": []}]}, {"L": ["a"]}, {"BS": ["eA=="]}, {"SS": [1]}]
)
def test_elements_are_those_of_a_list_or_a_set_of_texts(value: Any) -> None:
    with pytest.raises(UnreadableRowError, match="k is not"):
        leaves(["k[]"], {"k": value})


def test_a_list_without_elements_is_in_no_group() -> None:
    assert leaves(["k[]"], {"k": {"L": []}}) == ()


def test_keys_are_combined_with_each_element() -> None:
    image = {"day": {"S": "1"}, "tags": {"SS": ["a", "b"]}}
    assert leaves(["tags[]", "day"], image) == ("g:a:1", "g:b:1")


def test_what_is_missing_has_the_text_that_stands_for_it() -> None:
    missing = {"k": "unknown", "tags": "untagged", "t": "never", "d.e": "deep", "w": "high"}
    keys = ["k", "tags[]", "t:day", "d.e"]

    found = leaves(keys, {"d": {"S": "no map"}}, missing=missing, where={"w": ["high"]})

    assert found == ("g:unknown:untagged:never:deep",)


@pytest.mark.parametrize(
    ("image", "holds"),
    [
        ({"w": {"S": "1"}}, True),
        ({"w": {"N": "1"}}, True),
        ({"w": {"BOOL": True}}, True),
        ({"w": {"S": "2"}}, False),
        ({"w": {"L": [{"S": "1"}]}}, False),
        ({"w": {"NULL": True}}, False),
        ({}, False),
    ],
)
def test_a_condition_holds_for_the_texts_that_it_names(image: Any, holds: bool) -> None:
    image = {"k": {"S": "a"}, **image}
    assert leaves(["k"], image, where={"w": ["1", "true"]}) == (("g:a",) if holds else ())


def test_a_row_that_no_grouping_takes_needs_no_keys_and_no_numbers() -> None:
    orders = configuration(
        {"orders": {"keys": ["customer"], "where": {"type": ["order"]}}},
        {"Revenue": {"op": "sum", "field": "total"}},
    )

    assert orders.contribution({"type": {"S": "address"}}) is None
    with pytest.raises(UnreadableRowError, match="no total"):
        orders.contribution({"type": {"S": "order"}, "customer": {"S": "c"}})


def test_a_sum_may_say_what_stands_for_a_missing_number() -> None:
    sums = configuration(
        {"g": {"keys": ["k"]}},
        {"V": {"op": "sum", "field": "detail.v", "missing": "-0.5"}},
    )
    image: dict[str, Any] = {"k": {"S": "a"}}

    for value, amount in (
        (None, "-0.5"),
        ({"M": {}}, "-0.5"),
        ({"M": {"v": {"NULL": True}}}, "-0.5"),
        ({"M": {"v": {"N": "3"}}}, "3"),
    ):
        found = sums.contribution(image if value is None else {**image, "detail": value})
        assert found
        assert found.amounts == (Decimal(amount),)
    with pytest.raises(UnreadableRowError, match=r"no detail\.v \(a number\)"):
        sums.contribution({**image, "detail": {"M": {"v": {"S": "3"}}}})


def test_with_rollup_there_is_a_total_at_each_level() -> None:
    desk = configuration({"desk": {"keys": ["a", "b", "c"], "rollup": True}})

    assert desk.nodes("desk:x:y:%") == ["desk:x", "desk:x:y", "desk:x:y:%"]
    assert configuration({"g": {"keys": ["a", "b"]}}).nodes("g:x:y") == ["g:x:y"]


@given(st.text())
def test_every_text_comes_back_from_its_identifier(text: str) -> None:
    assert ":" not in escaped(text)
    assert escaped(text)
    assert unescaped(escaped(text)) == text


@given(st.lists(st.lists(st.text(alphabet=":%3A25a"), min_size=2, max_size=2), max_size=9))
def test_no_two_keys_share_a_total(pairs: list[list[str]]) -> None:
    group = configuration({"g": {"keys": ["a", "b"]}})
    found: Counter[str] = Counter()
    for first, second in {tuple(pair) for pair in pairs}:
        contribution = group.contribution({"a": {"S": first}, "b": {"S": second}})
        assert contribution
        (leaf,) = contribution.leaves
        labels = group.labels(leaf)
        assert labels
        assert labels.keys == {"a": first, "b": second}
        found[leaf] += 1
    assert all(count == 1 for count in found.values())


def test_a_total_is_called_by_its_grouping_its_keys_and_the_total_above_it() -> None:
    both = configuration(
        {
            "desk": {"keys": ["risk", "d.e as desk"], "rollup": True},
            "hourly": {"keys": ["region", "at:hour"]},
        }
    )

    assert both.labels("desk:FX") == Labels("desk", {"risk": "FX"}, "desk")
    assert both.labels("desk:FX:%3A") == Labels("desk", {"risk": "FX", "desk": ":"}, "desk:FX")
    assert both.labels("hourly:EU:1") == Labels("hourly", {"region": "EU", "at": "1"}, "hourly")
    for other in ("", "desk", "desk:a:b:c", "hourly:EU", "other:a", ":rebuild:1"):
        assert both.labels(other) is None


@pytest.mark.parametrize(
    ("identifier", "expires"),
    [
        ("minutes:EU:2026-12-31T23%3A59", "2027-01-11T00:00"),
        ("hours:2026-08-01T13", "2026-08-11T14:00"),
        ("days:2028-02-28", "2028-03-10T00:00"),
        ("months:2026-12", "2027-01-11T00:00"),
        ("months:2026-01", "2026-02-11T00:00"),
        ("both:2026-01:2026-01-05", "2026-02-11T00:00"),
        ("minutes:EU", None),
        ("minutes:EU:never", None),
        ("days:2026-08", None),
        ("days:9999-12-31", None),
        ("both:2026-01:never", None),
        ("kept:2026-08-01", None),
    ],
)
def test_a_total_expires_its_retention_after_its_bucket_has_ended(
    identifier: str, expires: str | None
) -> None:
    group_by: dict[str, Any] = {
        "minutes": {"keys": ["region", "t:minute"], "rollup": True},
        "hours": {"keys": ["t:hour"]},
        "days": {"keys": ["t:day"]},
        "months": {"keys": ["t:month"]},
        "both": {"keys": ["t:month", "u:day"]},
    }
    retained = {name: {**grouping, "retention_days": 10} for name, grouping in group_by.items()}
    labels = configuration({**retained, "kept": {"keys": ["t:day"]}}).labels(identifier)

    assert labels
    moment = None if expires is None else datetime.fromisoformat(expires + "+00:00")
    assert labels.expires == (moment and int(moment.timestamp()))
    assert labels.attributes.get("ExpiresAt") == (moment and {"N": str(labels.expires)})


def test_a_plain_identifier_is_the_key_s_text() -> None:
    scores = configuration({"user": {"keys": ["Username"]}}, identifiers="plain")

    found = scores.contribution({"Username": {"S": "a:b%"}})

    assert found
    assert found.leaves == ("a:b%",)
    assert scores.nodes("a:b%") == ["a:b%"]
    assert scores.labels("a:b%") == Labels("user", {"Username": "a:b%"}, "user")
    assert scores.labels(":reserved") is None
    daily = configuration(
        {"daily": {"keys": ["t:day"], "retention_days": 10}}, identifiers="plain"
    ).labels("2026-08-01")
    assert daily
    assert daily.expires == int(datetime(2026, 8, 12, tzinfo=UTC).timestamp())
    for name in ("", ":reserved"):
        with pytest.raises(UnreadableRowError, match="cannot be a total's key"):
            scores.contribution({"Username": {"S": name}})


def test_a_marker_of_a_backfill_adds_nothing() -> None:
    marker = {"k": {"S": "a"}, "LedaWatermark": {"S": "token"}}
    assert leaves(["k"], marker) == ()


def test_a_row_in_more_totals_than_a_row_of_sums_can_name_is_refused() -> None:
    few = {"k": {"SS": [f"{number:0100d}" for number in range(1000)]}}
    many = {"k": {"SS": [f"{number:0200d}" for number in range(1000)]}}

    assert len(leaves(["k[]"], few)) == 1000
    with pytest.raises(UnreadableRowError, match=f"1000 totals.*more than {MAX_IMAGE_BYTES} bytes"):
        leaves(["k[]"], many)


def test_the_attributes_that_decide_are_named_for_a_scan() -> None:
    found = configuration(
        {"g": {"keys": ["d.e", "t[]"], "where": {"w.x": ["1"]}}},
        {"S": {"op": "sum", "field": "n.o"}},
    )
    assert found.attributes == ["LedaWatermark", "d", "n", "t", "w"]


@pytest.mark.parametrize(
    ("grouping", "complaint"),
    [
        (None, "not an object"),
        ({}, "no `keys`"),
        ({"keys": []}, "no `keys`"),
        ({"keys": ["a"], "colour": 1}, "unknown attributes"),
        ({"keys": [1]}, "not of the form"),
        ({"keys": [""]}, "not of the form"),
        ({"keys": ["a..b"]}, "not of the form"),
        ({"keys": ["a b"]}, "not of the form"),
        ({"keys": ["a:week"]}, "'week', which is not one of"),
        ({"keys": ["a[]:day"]}, "both a bucket and the elements"),
        ({"keys": ["a", "b as a"]}, "one name"),
        ({"keys": ["a[]", "b[]"]}, "more than one list"),
        ({"keys": ["a[]", "b"], "rollup": True}, "both rollup and the elements"),
        ({"keys": ["a"], "where": {"b": []}}, "no list of texts for b"),
        ({"keys": ["a"], "where": {"b": "c"}}, "no list of texts for b"),
        ({"keys": ["a"], "where": {"b c": ["c"]}}, "no attribute"),
        ({"keys": ["a"], "where": []}, "not a map"),
        ({"keys": ["a"], "missing": {"b": "c"}}, "no key and no condition"),
        ({"keys": ["a"], "missing": {"a": 1}}, "not a map of strings"),
        ({"keys": ["a:day"], "retention_days": 0}, "whole number of at least 1"),
        ({"keys": ["a:day"], "retention_days": 1.5}, "whole number of at least 1"),
        ({"keys": ["a"], "retention_days": 1}, "no key with a time bucket"),
    ],
)
def test_a_grouping_that_is_not_usable_is_refused_by_name(grouping: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the grouping g: .*{complaint}"):
        configuration({"g": grouping})


@pytest.mark.parametrize("name", ["", "1a", "a:b", "a b", "x" * 65])
def test_the_name_of_a_grouping_stands_in_identifiers(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a name of 1 to 64"):
        configuration({name: {"keys": ["a"]}})


@pytest.mark.parametrize(
    "group_by",
    [
        {"g": {"keys": ["a", "b"]}},
        {"g": {"keys": ["a"], "rollup": True}},
        {"g": {"keys": ["a"]}, "h": {"keys": ["b"]}},
    ],
)
def test_plain_identifiers_of_more_than_one_key_are_refused(group_by: Any) -> None:
    with pytest.raises(ConfigurationError, match="one grouping of one key"):
        configuration(group_by, identifiers="plain")
