"""Keys in the identifiers of totals."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from leda.engine.group_by.identifiers import escaped, unescaped
from support.configurations import configuration


@given(st.text())
def test_every_key_can_be_read_back_from_its_identifier(text: str) -> None:
    assert ":" not in escaped(text)
    assert escaped(text)
    assert unescaped(escaped(text)) == text


@given(st.lists(st.lists(st.text(alphabet=":%3A25a"), min_size=2, max_size=2), max_size=9))
def test_different_keys_have_different_identifiers(pairs: list[list[str]]) -> None:
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
