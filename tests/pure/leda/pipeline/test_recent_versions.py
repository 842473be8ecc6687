"""The versions that an execution environment remembers: of the latest rows, of a bounded number, and never too high."""

from hypothesis import given
from hypothesis import strategies as st

from leda.pipeline.recent_versions import RecentVersions

IDS = st.sampled_from([f"t{number}" for number in range(12)])


@given(st.lists(st.tuples(IDS, st.integers(-3, 9))), st.integers(1, 5))
def test_the_latest_ids_are_known_with_their_highest_recent_version(
    met: list[tuple[str, int]], most: int
) -> None:
    recent = RecentVersions(most)
    for id_, version in met:
        recent.note(id_, version)

    for id_, _ in met[-most:]:
        since = [version for other, version in met[-most:] if other == id_]
        ever = [version for other, version in met if other == id_]
        known = recent.get(id_)
        assert known is not None
        assert max(since) <= known <= max(ever)


@given(st.lists(IDS), st.integers(1, 5))
def test_at_most_two_generations_are_kept(met: list[str], most: int) -> None:
    recent = RecentVersions(most)
    for id_ in met:
        recent.note(id_, 1)

    assert sum(recent.get(id_) is not None for id_ in set(met)) <= 2 * most


def test_an_id_that_is_seen_often_is_not_forgotten() -> None:
    recent = RecentVersions(2)
    for number in range(100):
        recent.note("often", 1)
        recent.note(f"once {number}", 1)

    assert recent.get("often") == 1
    assert recent.get("once 0") is None
