"""Comparing several reads of a total with its expected value."""

from collections.abc import Mapping
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from leda.engine.audit.brackets import Bracket, brackets

VALUE = ("Value",)
AMOUNTS = st.integers(-5, 5).map(Decimal)
TOTALS = st.dictionaries(st.sampled_from("abcd"), st.tuples(AMOUNTS), max_size=4)
PAIRS = st.dictionaries(st.sampled_from("abcd"), st.tuples(AMOUNTS, AMOUNTS), max_size=4)


@given(TOTALS, st.lists(TOTALS, min_size=1, max_size=4))
def test_a_total_is_exact_in_flight_or_off_by_the_nearest_read(
    expected: dict[str, tuple[Decimal]], looks: list[dict[str, tuple[Decimal]]]
) -> None:
    found = {each.identifier: each for each in brackets(VALUE, expected, looks)}
    nothing = (Decimal(0),)
    for name in "abcd":
        seen = [look.get(name, nothing)[0] - expected.get(name, nothing)[0] for look in looks]
        if 0 in seen:
            assert name not in found
        elif min(seen) < 0 < max(seen):
            assert found[name].off == 0
        else:
            assert found[name].off == min(seen, key=abs)
            assert found[name].moved is (len(set(seen)) > 1)


@given(PAIRS, st.lists(PAIRS, min_size=1, max_size=4))
def test_measures_are_compared_independently(
    expected: dict[str, tuple[Decimal, ...]], looks: list[dict[str, tuple[Decimal, ...]]]
) -> None:
    def only(totals: Mapping[str, tuple[Decimal, ...]], place: int) -> dict[str, tuple[Decimal]]:
        return {name: (amounts[place],) for name, amounts in totals.items()}

    alone = [
        bracket
        for place, measure in enumerate(("Count", "Value"))
        for bracket in brackets(
            (measure,), only(expected, place), [only(look, place) for look in looks]
        )
    ]
    together = brackets(("Count", "Value"), expected, looks)
    assert together == sorted(alone, key=lambda bracket: (bracket.identifier, bracket.measure))


def test_differences_are_sorted_and_a_total_of_0_equals_a_missing_total() -> None:
    expected = {"b": (Decimal(1),), "z": (Decimal(0),)}
    assert brackets(VALUE, expected, [{"a": (Decimal(2),), "y": (Decimal(0),)}]) == [
        Bracket("a", "Value", Decimal(0), Decimal(2), Decimal(2)),
        Bracket("b", "Value", Decimal(1), Decimal(0), Decimal(0)),
    ]
