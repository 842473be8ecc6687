"""The guess of the cheapest first request for a message, from its version and from earlier messages' results."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.pipeline.statement_guess import COUNTED_TOGETHER, MOST_COUNTED, Found, Guess, Request

versions = st.one_of(st.integers(-3, 20), st.integers(-(10**38), 10**38))


def taught(version: int, **counts: int) -> Guess:
    guess = Guess()
    guess.learn({(version, Found[name]): count for name, count in counts.items()})
    return guess


@pytest.mark.parametrize(
    ("version", "request_"),
    [
        (-(10**38), Request.INSERT),
        (0, Request.INSERT),
        (1, Request.INSERT),
        (2, Request.UPDATE),
        (10**38, Request.UPDATE),
    ],
)
def test_without_experience_versions_up_to_1_are_inserted_and_others_updated(
    version: int, request_: Request
) -> None:
    assert Guess().best(version) is request_


@given(versions)
def test_a_few_duplicates_do_not_change_the_guess(version: int) -> None:
    assert taught(version, NOT_OLDER=3).best(version) is Guess().best(version)


@given(versions, st.sampled_from(Found))
def test_one_batch_with_a_uniform_result_decides(version: int, found: Found) -> None:
    best = {
        Found.ABSENT: Request.INSERT,
        Found.OLDER: Request.UPDATE,
        Found.NOT_OLDER: Request.LOOK,
    }

    assert taught(version, **{found.name: 200}).best(version) is best[found]


@pytest.mark.parametrize(
    ("absent", "older", "not_older", "request_"),
    [
        # Writing a duplicate costs a write unit more than reading it; reading every message costs a fifth of one.
        (90, 0, 10, Request.INSERT),
        (80, 0, 20, Request.LOOK),
        (0, 90, 10, Request.UPDATE),
        (0, 70, 30, Request.LOOK),
        (50, 50, 0, Request.LOOK),
        (10, 90, 0, Request.UPDATE),
    ],
)
def test_the_request_that_would_have_cost_least_is_chosen(
    absent: int, older: int, not_older: int, request_: Request
) -> None:
    guess = taught(5, ABSENT=100 * absent, OLDER=100 * older, NOT_OLDER=100 * not_older)

    assert guess.best(5) is request_


def test_low_versions_are_counted_separately_and_high_ones_together() -> None:
    guess = taught(1, OLDER=500)
    guess.learn({(1_700_000_000, Found.ABSENT): 500})

    assert [guess.best(version) for version in (0, 1, 2)] == [
        Request.INSERT,
        Request.UPDATE,
        Request.UPDATE,
    ]
    assert {guess.best(version) for version in (COUNTED_TOGETHER, 10**30)} == {Request.INSERT}


def test_a_few_batches_outweigh_a_long_history() -> None:
    guess = taught(1, ABSENT=10**6)
    for _ in range(3):
        guess.learn({(1, Found.OLDER): MOST_COUNTED})

    assert guess.best(1) is Request.UPDATE


@given(st.lists(st.tuples(versions, st.sampled_from(Found)), max_size=50))
def test_the_order_within_a_batch_does_not_matter(batch: list[tuple[int, Found]]) -> None:
    one, other = Guess(), Guess()
    one.learn(Counter(batch))
    other.learn(Counter(reversed(batch)))

    assert [one.best(version) for version, _ in batch] == [
        other.best(version) for version, _ in batch
    ]
