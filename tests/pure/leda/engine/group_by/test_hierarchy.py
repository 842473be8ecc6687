"""Paths, and the nodes above them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.engine.group_by.hierarchy import MAX_PATH_BYTES, BadPathError, join, nodes

NAMES = st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"]), min_size=1)
PATHS = st.lists(st.sampled_from("ABC"), min_size=1, max_size=4).map(":".join)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_a_path_has_the_names_in_the_order_of_the_levels(names: list[str]) -> None:
    levels = [f"level {number}" for number in range(len(names))]
    given_names = dict(reversed(list(zip(levels, names, strict=True)))) | {"other": "x"}

    assert join(levels, given_names).split(":") == names


@given(PATHS)
def test_the_nodes_of_a_path_are_its_prefixes_from_the_root(path: str) -> None:
    parts = path.split(":")

    assert nodes(path) == [":".join(parts[: depth + 1]) for depth in range(len(parts))]


@pytest.mark.parametrize(
    "name", [None, "", 5, True, ["x"], {"x": "y"}, "a:b", ":", "\ud800", Decimal(1)]
)
def test_an_invalid_level_is_refused_and_named(name: object) -> None:
    with pytest.raises(BadPathError, match=r"Region|hierarchy is not valid Unicode"):
        join(["RiskType", "Region"], {"RiskType": "PV", "Region": name})


def test_a_path_is_at_most_as_long_as_a_partition_key() -> None:
    longest = "é" * (MAX_PATH_BYTES // 2)

    assert join(["a"], {"a": longest}) == longest
    with pytest.raises(BadPathError, match="2049 bytes"):
        join(["a"], {"a": longest + "x"})
