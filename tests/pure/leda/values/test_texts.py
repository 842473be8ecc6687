"""Texts measured in bytes of UTF-8, as AWS's limits are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.values.texts import cut, utf8_bytes


@pytest.mark.parametrize(
    ("text", "size"), [("", 0), ("a", 1), ("é", 2), ("€", 3), ("\U0001f600", 4), ("a\ud800", None)]
)
def test_a_text_has_so_many_bytes_or_no_utf8(text: str, size: int | None) -> None:
    assert utf8_bytes(text) == size


@pytest.mark.parametrize(
    ("most", "shown"),
    [(0, ""), (2, ""), (3, "€"), (4, "€u"), (5, "€ur"), (6, "€uro"), (99, "€uro")],
)
def test_a_text_is_cut_between_two_characters(most: int, shown: str) -> None:
    assert cut("€uro", most) == shown


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert cut("a\ud800b", 3) == "a?b"


@given(st.text(), st.integers(0, 40))
def test_a_cut_text_fits_and_no_more_of_it_would(text: str, most: int) -> None:
    shown = cut(text, most)
    whole = text.encode(errors="replace").decode()

    assert whole.startswith(shown)
    assert len(shown.encode()) <= most
    assert shown == whole or len(whole[: len(shown) + 1].encode()) > most
