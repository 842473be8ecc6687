"""One grouping: invalid definitions, combinations of keys, and the expiry of totals."""

from datetime import datetime
from typing import Any

import pytest

from leda.engine.group_by.configuration import ConfigurationError
from support.configurations import configuration, leaves


def test_a_row_with_an_empty_list_is_in_no_group() -> None:
    assert leaves(["k[]"], {"k": {"L": []}}) == ()


def test_each_element_of_a_list_is_combined_with_the_other_keys() -> None:
    image = {"day": {"S": "1"}, "tags": {"SS": ["a", "b"]}}
    assert leaves(["tags[]", "day"], image) == ("g:a:1", "g:b:1")


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
def test_a_total_expires_when_its_retention_after_the_end_of_its_time_bucket_is_over(
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
        ({"keys": ["a"], "where": {"b c": ["c"]}}, "not the path of an attribute"),
        ({"keys": ["a"], "where": []}, "not a map"),
        ({"keys": ["a"], "missing": {"b": "c"}}, "attributes of no key and of no condition"),
        ({"keys": ["a"], "missing": {"a": 1}}, "not a map of strings"),
        ({"keys": ["a:day"], "retention_days": 0}, "whole number of at least 1"),
        ({"keys": ["a:day"], "retention_days": 1.5}, "whole number of at least 1"),
        ({"keys": ["a:day"], "retention_days": True}, "whole number of at least 1"),
        ({"keys": ["a"], "retention_days": 1}, "no key with a time bucket"),
    ],
)
def test_an_invalid_grouping_is_refused_and_named(grouping: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the grouping g: .*{complaint}"):
        configuration({"g": grouping})


@pytest.mark.parametrize("name", ["", "1a", "a:b", "a b", "x" * 65])
def test_an_invalid_name_of_a_grouping_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a name of 1 to 64"):
        configuration({name: {"keys": ["a"]}})
