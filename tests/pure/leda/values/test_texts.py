"""Texts measured in bytes of UTF-8, as in AWS's limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.values.texts import cut, number_of, utf8_bytes


@pytest.mark.parametrize(
    ("text", "size"), [("", 0), ("a", 1), ("é", 2), ("€", 3), ("\U0001f600", 4), ("a\ud800", None)]
)
def test_the_size_of_a_text_in_utf8(text: str, size: int | None) -> None:
    assert utf8_bytes(text) == size


def test_a_lone_surrogate_is_cut_as_a_question_mark() -> None:
    assert cut("a\ud800b", 3) == "a?b"


@given(st.text(), st.integers(0, 40))
def test_a_text_is_cut_to_its_longest_prefix_that_fits(text: str, most: int) -> None:
    shown = cut(text, most)
    whole = text.encode(errors="replace").decode()

    assert whole.startswith(shown)
    assert len(shown.encode()) <= most
    assert shown == whole or len(whole[: len(shown) + 1].encode()) > most


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1234, "1,234 rows")]
)
def test_a_noun_is_in_the_plural_unless_there_is_one(count: int, text: str) -> None:
    assert number_of(count, "row") == text


def test_a_noun_may_have_a_plural_and_a_verb_of_its_own() -> None:
    assert number_of(1, "batch is", "batches are") == "1 batch is"
    assert number_of(3, "batch is", "batches are") == "3 batches are"
