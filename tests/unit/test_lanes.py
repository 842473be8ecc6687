"""Lanes: which order an event's records belong to, and when nobody can tell."""

from typing import Any

import pytest

from leda.lanes import Lane, Shard, UnknownLane, of_event, require_chain
from leda.streams import MalformedEvent

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/StateTable/stream/2026-01-01T00:00:00.000"


def event(*arns: Any, **more: Any) -> dict[str, Any]:
    return {"Records": [{"eventSourceARN": arn} for arn in arns], **more}


def test_a_windows_event_names_its_shard() -> None:
    lane = of_event(event(ARN, ARN, shardId="shardId-1"))

    assert lane == Lane(ARN, "shardId-1")
    assert not lane.is_whole_stream


@pytest.mark.parametrize("more", [{}, {"shardId": None}, {"shardId": ""}])
def test_without_a_shard_the_lane_is_the_stream(more: dict[str, Any]) -> None:
    lane = of_event(event(ARN, **more))

    assert lane == Lane(ARN, ARN)
    assert lane.is_whole_stream


NUMBERED = "000000000000000000007"  # the shortest that a stream gives


def numbered(*numbers: Any, **more: Any) -> dict[str, Any]:
    records = [{"eventSourceARN": ARN, "dynamodb": {"SequenceNumber": each}} for each in numbers]
    return {"Records": records, **more}


@pytest.mark.parametrize("more", [{}, {"shardId": "shardId-1"}])
def test_numbers_that_no_stream_gives_are_an_order_of_their_own(more: dict[str, Any]) -> None:
    lane = of_event(numbered("111", "222", **more))

    assert lane.stream not in (ARN, lane.name)
    assert not lane.is_whole_stream
    assert of_event(numbered(NUMBERED, **more)) == Lane(ARN, more.get("shardId", ARN))


def test_made_up_records_and_a_streams_own_are_no_batch() -> None:
    with pytest.raises(MalformedEvent, match="SequenceNumber"):
        of_event(numbered("111", NUMBERED))


@pytest.mark.parametrize("arns", [(ARN, ARN + "x"), (None,), ("",), (5,), (ARN, None)])
def test_records_of_no_stream_or_of_two_are_no_batch(arns: tuple[Any, ...]) -> None:
    with pytest.raises(MalformedEvent, match="event"):
        of_event(event(*arns))


CHAINS = {
    "one shard": [Shard("a", None, True)],
    "a parent and its child": [Shard("a", None, False), Shard("b", "a", True)],
    "in any order": [Shard("c", "b", True), Shard("a", None, False), Shard("b", "a", False)],
    # After a day the parent is gone from the list, and its name stays.
    "a parent that is no longer listed": [Shard("b", "a", False), Shard("c", "b", True)],
}


@pytest.mark.parametrize("shards", CHAINS.values(), ids=CHAINS)
def test_a_chain_is_one_order(shards: list[Shard]) -> None:
    require_chain(ARN, shards)


NO_CHAINS = {
    "no shard": [],
    "two open shards": [Shard("a", None, True), Shard("b", None, True)],
    "a split": [Shard("a", None, False), Shard("b", "a", True), Shard("c", "a", True)],
    "a split, half closed": [
        Shard("a", None, False),
        Shard("b", "a", False),
        Shard("c", "a", True),
    ],
    "two chains": [Shard("a", None, False), Shard("b", None, True)],
    "all closed": [Shard("a", None, False), Shard("b", "a", False)],
    "two whose parents are gone": [Shard("c", "a", False), Shard("d", "b", True)],
}


@pytest.mark.parametrize("shards", NO_CHAINS.values(), ids=NO_CHAINS)
def test_several_orders_are_refused_and_the_setting_is_named(shards: list[Shard]) -> None:
    with pytest.raises(UnknownLane) as caught:
        require_chain(ARN, shards)

    assert "tumbling_window_in_seconds" in str(caught.value)
    assert ARN in str(caught.value)
