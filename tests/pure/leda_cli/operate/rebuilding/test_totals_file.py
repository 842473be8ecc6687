"""Totals in a temporary file, in the order of their identifiers."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leda_cli.operate.rebuilding import totals_file
from leda_cli.operate.rebuilding.totals_file import TotalsFile

AMOUNTS = st.one_of(st.none(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False))
TOTALS = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.tuples(AMOUNTS, AMOUNTS))
)


@settings(max_examples=30)
@given(TOTALS, TOTALS)
def test_totals_are_sorted_and_the_first_amounts_of_an_identifier_are_kept(
    early: list[tuple[str, tuple[Decimal | int | None, ...]]],
    late: list[tuple[str, tuple[Decimal | int | None, ...]]],
) -> None:
    wanted = {**dict(reversed(late)), **dict(reversed(early))}
    # Read between two puts, not read in between, and sorted in several steps.
    for is_read, batch, most in ((True, 10, 100), (False, 10, 100), (False, 2, 1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(totals_file, "_BATCH", batch)
            patch.setattr(totals_file, "_MOST_UNSORTED", most)
            found = TotalsFile(early)
            assert not is_read or len(found) == len(dict(early))
            found.put(late)
            assert list(found) == sorted(wanted)
            assert repr(list(found.items())) == repr(sorted(wanted.items()))
            assert all(repr(found[name]) == repr(wanted[name]) for name in wanted)
            assert bool(found) is bool(wanted)


def test_an_absent_identifier_is_a_key_error() -> None:
    found = TotalsFile([("a", (1,))])
    assert "b" not in found
    with pytest.raises(KeyError):
        found["b"]
