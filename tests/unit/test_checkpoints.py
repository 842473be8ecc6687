"""The checkpoint's actions: what a transaction moves, and what it holds still."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from leda.checkpoints import SEQUENCE_DIGITS, BadCheckpoint, Checkpoints, Position, padded
from leda.lanes import Lane
from leda.transactions import Verdict, verdict
from support.fake_dynamodb import FakeDynamoDB

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/StateTable/stream/2026-01-01T00:00:00.000"
STREAM = Lane(ARN, ARN)
SHARD = Lane(ARN, "shardId-1")
ELSEWHERE = Lane(ARN, "shardId-2")
SOURCE = {"S": f"MapLambda|{ARN}"}


@pytest.fixture
def fake() -> FakeDynamoDB:
    return FakeDynamoDB()


def checkpoints(fake: FakeDynamoDB, function: str = "MapLambda") -> Checkpoints:
    client: Any = fake
    return Checkpoints(client, "checkpoints", function)


def move(fake: FakeDynamoDB, lane: Lane, position: Position, last: int) -> None:
    actions = checkpoints(fake).advance(lane, position, last)
    fake.transact_write_items(TransactItems=actions)


def rows(fake: FakeDynamoDB) -> dict[str, dict[str, Any]]:
    return {row["Lane"]["S"]: row for row in fake.tables["checkpoints"].values()}


@given(st.lists(st.integers(0, 10**SEQUENCE_DIGITS - 1), min_size=1))
def test_padded_numbers_order_as_numbers(numbers: list[int]) -> None:
    assert sorted(map(padded, numbers)) == [padded(number) for number in sorted(numbers)]
    assert {len(padded(number)) for number in numbers} == {56}


def test_nothing_is_covered_at_first(fake: FakeDynamoDB) -> None:
    for lane in (SHARD, STREAM):
        assert checkpoints(fake).read(lane) == Position()
    # Sequence numbers start at 0.
    assert Position().floor == -1


@pytest.mark.parametrize(
    ("position", "floor"),
    [
        (Position(own=5), 5),
        (Position(own=5, stream=9), 9),
        (Position(own=9, stream=5), 9),
        (Position(stream=0), 0),
        (Position(highest=("shardId-1", 7)), 7),
        (Position(own=8, stream=8, highest=("shardId-1", 7)), 8),
    ],
)
def test_what_either_name_covers_is_covered(position: Position, floor: int) -> None:
    assert position.floor == floor


def test_the_row_is_what_the_operator_is_told_it_is(fake: FakeDynamoDB) -> None:
    move(fake, SHARD, Position(), 7)

    assert rows(fake) == {
        SHARD.name: {
            "Source": SOURCE,
            "Lane": {"S": "shardId-1"},
            "Sequence": {"S": "0" * 55 + "7"},
        },
        ARN: {"Source": SOURCE, "Lane": {"S": ARN}, "Lanes": {"N": "1"}},
    }


@pytest.mark.parametrize("lane", [SHARD, STREAM])
def test_a_position_after_a_move_is_the_one_that_is_read(fake: FakeDynamoDB, lane: Lane) -> None:
    position = checkpoints(fake).read(lane)
    for last in (3, 8, 10**40):
        move(fake, lane, position, last)
        position = checkpoints(fake).moved(lane, position, last)
        assert checkpoints(fake).read(lane).floor == position.floor == last


def test_a_lane_never_takes_more_than_two_actions() -> None:
    client: Any = None
    made = Checkpoints(client, "checkpoints", "f")
    positions = [Position(own, stream) for own in (None, 1) for stream in (None, 2)]
    whole = [
        Position(1, 1, shards, highest) for shards in (None, 2) for highest in (None, ("s", 1))
    ]

    for lane, position in [(SHARD, p) for p in positions] + [
        (STREAM, p) for p in whole + positions
    ]:
        actions = made.advance(lane, position, 9)
        keys = [str(next(iter(action.values()))["Key"]) for action in actions]
        assert 1 <= len(actions) <= 2
        # DynamoDB refuses a transaction that names an item twice.
        assert len(set(keys)) == len(keys)
        for action in actions:
            assert next(iter(action.values()))["ConditionExpression"]


@pytest.mark.parametrize("others", [[], [STREAM], [ELSEWHERE]])
def test_a_shard_that_has_a_row_writes_to_that_row_alone(
    fake: FakeDynamoDB, others: list[Lane]
) -> None:
    move(fake, SHARD, Position(), 3)
    for lane in others:
        move(fake, lane, checkpoints(fake).read(lane), 5)

    position = checkpoints(fake).read(SHARD)
    ((action,),) = (made.values() for made in checkpoints(fake).advance(SHARD, position, 9))

    assert action["Key"] == {"Source": SOURCE, "Lane": {"S": SHARD.name}}


def test_a_delivery_under_the_streams_name_moves_the_highest_shards_row_as_far(
    fake: FakeDynamoDB,
) -> None:
    move(fake, SHARD, Position(), 3)
    move(fake, ELSEWHERE, Position(), 7)

    position = checkpoints(fake).read(STREAM)
    move(fake, STREAM, position, 9)

    assert {name: row.get("Sequence") for name, row in rows(fake).items()} == {
        SHARD.name: {"S": padded(3)},
        ELSEWHERE.name: {"S": padded(9)},
        ARN: {"S": padded(9)},
    }
    assert checkpoints(fake).moved(STREAM, position, 9) == checkpoints(fake).read(STREAM)


def test_a_shard_gets_its_row_beyond_its_parents_that_was_moved_for_it(fake: FakeDynamoDB) -> None:
    move(fake, SHARD, Position(), 3)
    # Records of the child, under the stream's name.
    move(fake, STREAM, checkpoints(fake).read(STREAM), 9)
    child = checkpoints(fake).read(ELSEWHERE)
    assert (child.own, child.floor) == (None, 9)

    move(fake, ELSEWHERE, child, 11)

    assert checkpoints(fake).read(STREAM).highest == (ELSEWHERE.name, 11)


def test_a_shards_first_move_is_counted_in_the_streams_row(fake: FakeDynamoDB) -> None:
    move(fake, SHARD, Position(), 7)
    move(fake, SHARD, Position(own=7), 8)
    move(fake, ELSEWHERE, Position(), 9)

    assert rows(fake)[ARN]["Lanes"] == {"N": "2"}
    assert checkpoints(fake).read(STREAM) == Position(None, None, 2, ("shardId-2", 9))


def refuses(fake: FakeDynamoDB, lane: Lane, position: Position) -> bool:
    """Whether the position no longer holds; if so, nothing may have changed."""
    before = repr(fake.tables["checkpoints"])
    try:
        move(fake, lane, position, 99)
    except ClientError as error:
        found = verdict(error)
    else:
        return False
    assert found is Verdict.MOVED
    assert repr(fake.tables["checkpoints"]) == before
    return True


@pytest.mark.parametrize("lane", [SHARD, STREAM])
@pytest.mark.parametrize("moved", [SHARD, STREAM])
@pytest.mark.parametrize("first", [None, SHARD, STREAM])
def test_a_position_holds_no_more_once_either_name_moved(
    fake: FakeDynamoDB, lane: Lane, moved: Lane, first: Lane | None
) -> None:
    if first:
        move(fake, first, checkpoints(fake).read(first), 3)
    position = checkpoints(fake).read(lane)
    move(fake, moved, checkpoints(fake).read(moved), 7)

    assert refuses(fake, lane, position)
    assert not refuses(fake, lane, checkpoints(fake).read(lane))


def test_a_new_shard_fails_a_delivery_under_the_streams_name(fake: FakeDynamoDB) -> None:
    move(fake, SHARD, Position(), 3)
    position = checkpoints(fake).read(STREAM)
    move(fake, ELSEWHERE, Position(), 7)

    assert refuses(fake, STREAM, position)


def test_shards_do_not_fail_each_other(fake: FakeDynamoDB) -> None:
    position = checkpoints(fake).read(SHARD)
    move(fake, ELSEWHERE, Position(), 7)

    assert not refuses(fake, SHARD, position)


@pytest.mark.parametrize("lane", [SHARD, STREAM])
def test_a_row_that_is_gone_fails_a_position_that_knew_it(fake: FakeDynamoDB, lane: Lane) -> None:
    move(fake, lane, Position(), 7)
    position = checkpoints(fake).read(lane)
    fake.tables["checkpoints"].clear()

    assert refuses(fake, lane, position)


def test_the_rows_of_other_functions_and_streams_are_others(fake: FakeDynamoDB) -> None:
    move(fake, SHARD, Position(), 7)

    assert checkpoints(fake, "a-MapLambda").read(SHARD) == Position()
    assert checkpoints(fake, "a-MapLambda").read(STREAM) == Position()
    for name in (SHARD.name, None):
        other = ARN + "0"
        assert checkpoints(fake).read(Lane(other, name or other)) == Position()


@pytest.mark.parametrize("lane", [SHARD, STREAM])
@pytest.mark.parametrize("text", ["7", "", "x" * 56])
def test_a_sequence_number_written_by_hand_is_refused_with_how_to_mend_it(
    fake: FakeDynamoDB, lane: Lane, text: str
) -> None:
    move(fake, lane, Position(), 7)
    for row in fake.tables["checkpoints"].values():
        if "Sequence" in row:
            row["Sequence"] = {"S": text}

    with pytest.raises(BadCheckpoint, match=f"{lane.name}.*pad"):
        checkpoints(fake).read(lane)
