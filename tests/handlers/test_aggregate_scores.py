"""AggregateScoresByUser over DynamoDB Local: the text's event, bad records, moves, any delivery, and the board."""

import base64
import json
import threading
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from leda import scores
from leda_cli import leaderboard
from support.faults import Faults, FaultyClient, client_error
from support.pipeline import event
from support.scores import (
    BAD,
    FUNCTION,
    INDEX,
    RECORDS,
    TOTALS,
    Play,
    Row,
    ScoreTables,
    fold,
    record,
    text_event,
)


@pytest.fixture
def tables(dynamodb_endpoint: str) -> ScoreTables:
    return ScoreTables(dynamodb_endpoint)


@pytest.fixture
def room_for_three_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a few records take several transactions."""
    monkeypatch.setattr(scores, "MAX_EFFECTS", 3)


def test_the_texts_event_gives_its_result_and_again_no_more(tables: ScoreTables) -> None:
    function = tables.aggregate()
    for environment in (function, function, tables.aggregate()):
        assert environment(text_event(tables.stream_arn(RECORDS))) == {"state": {}}

        assert tables.rows(TOTALS) == [
            {
                "Username": {"S": "Jane Doe"},
                "Score": {"N": "100"},
                "Records": {"N": "1"},
                "Board": {"S": "all"},
            }
        ]


@pytest.mark.parametrize("windowed", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_the_texts_event_hides_no_record_of_the_stream_and_none_hides_it(
    tables: ScoreTables, first: bool, windowed: bool
) -> None:
    """Its number 111 is no stream's; DynamoDB Local's begin with 1, AWS's are far above."""
    made_up = text_event(tables.stream_arn(RECORDS))
    for number in range(150):
        tables.put(str(number), record("John", 1))
    changes, shard = tables.records(), tables.shard(RECORDS)
    events = [event(changes, shard if windowed else None)]
    events.insert(0 if first else 1, made_up)

    for each in (*events, *events):
        assert tables.aggregate()(each) == {"state": {}}

    assert tables.totals() == {"John": (150, 150), "Jane Doe": (100, 1)}


def test_records_are_added_changed_moved_and_deleted(tables: ScoreTables) -> None:
    tables.put("1", record("John", 20))
    tables.put("2", record("Jane", 100))
    tables.put("3", record("Jane", "0.5"))
    assert tables.run() == {"John": (20, 1), "Jane": (100.5, 2)}
    tables.put("1", record("John", 25))
    tables.put("3", record("John", 1))
    tables.delete("2")
    assert tables.run() == {"John": (26, 2)}
    tables.delete("1")
    tables.delete("3")
    assert tables.run() == {}


def test_more_users_than_a_transaction_has_room_for_take_several(tables: ScoreTables) -> None:
    for number in range(300):
        tables.put(str(number), record(f"user {number}", number))
    faults = Faults()
    function = tables.aggregate(lambda client: FaultyClient(client, faults))

    assert function(event(tables.records())) == {"state": {}}

    assert tables.totals() == {f"user {number}": (number, 1) for number in range(300)}
    assert faults.log.count("transact_write_items") == 4


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_a_record_that_cannot_be_counted_is_kept_aside_and_blocks_nothing(
    tables: ScoreTables, bad: Row
) -> None:
    tables.put("1", record("John", 1))
    tables.put("2", bad)
    tables.put("3", record("John", 2))

    assert tables.run() == {"John": (3, 2)}

    ((key, kept),) = tables.bucket.objects.items()
    change = tables.records()[1]
    assert key.startswith(f"{tables.prefix}{FUNCTION}/")
    assert json.loads(base64.b64decode(kept["data"])) == change
    # Mended, it counts; and it is not reported again.
    tables.put("2", record("John", 10))
    assert tables.run() == {"John": (13, 3)}
    assert len(tables.bucket.objects) == 1


def test_a_record_that_somebody_broke_is_out_of_the_total_until_it_is_mended(
    tables: ScoreTables,
) -> None:
    tables.put("1", record("John", 5))
    assert tables.run() == {"John": (5, 1)}
    tables.put("1", record("John", {"S": "five"}))
    assert tables.run() == {}
    tables.put("1", record("John", 7))
    assert tables.run() == {"John": (7, 1)}


def test_without_the_bucket_a_record_that_cannot_be_counted_waits(tables: ScoreTables) -> None:
    tables.put("1", {"Score": {"N": "5"}})
    batch, function = event(tables.records()), tables.aggregate()
    tables.bucket.error = client_error("SlowDown", 503)

    with pytest.raises(ClientError, match="SlowDown"):
        function(batch)
    assert tables.rows("CheckpointTable") == []
    tables.bucket.error = None
    function(batch)
    assert len(tables.bucket.objects) == 1


def test_a_removal_by_time_to_live_is_no_delete_and_one_by_hand_is(tables: ScoreTables) -> None:
    for record_id in ("expired", "deleted"):
        tables.put(record_id, record("John", 5))
        tables.delete(record_id)
    changes = tables.records()
    changes[1]["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

    tables.aggregate()(event(changes))

    assert tables.totals() == {"John": (5, 1)}


def test_a_total_that_somebody_broke_stops_its_own_user_only(tables: ScoreTables) -> None:
    # Not its Score: that is a key of the index, and DynamoDB takes nothing but a number for it.
    broken = {"Username": {"S": "John"}, "Score": {"N": "7"}, "Records": {"S": "many"}}
    tables.dynamodb.put_item(TableName=tables.prefix + TOTALS, Item=broken)
    for number in range(20):
        tables.put(str(number), record("John" if number in (3, 11) else "Jane", 1))

    tables.aggregate()(event(tables.records()))

    rows = {row["Username"]["S"]: row["Score"] for row in tables.rows(TOTALS)}
    assert rows == {"John": {"N": "7"}, "Jane": {"N": "18"}}
    assert len(tables.bucket.objects) == 2
    assert all("DynamoDB refuses" in reason for reason in tables.bucket.reasons)


@pytest.mark.usefixtures("room_for_three_users")
@pytest.mark.parametrize("seed", range(4))
def test_any_schedule_of_deliveries_and_faults_leaves_every_total_exact(
    tables: ScoreTables, seed: int
) -> None:
    Play(tables, seed)()


@pytest.mark.parametrize("seed", range(100, 102))
def test_any_schedule_leaves_every_total_exact_with_full_transactions(
    tables: ScoreTables, seed: int
) -> None:
    Play(tables, seed)(changes=60)


@pytest.mark.parametrize("shapes", [(True, True), (True, False), (False, True), (False, False)])
def test_two_deliveries_at_once_in_threads_leave_every_total_exact(
    tables: ScoreTables, shapes: tuple[bool, bool]
) -> None:
    for number in range(60):
        tables.put(str(number % 40), record(f"user {number % 7}", number))
    changes, shard = tables.records(), tables.shard(RECORDS)
    for start in range(0, len(changes), 15):
        batch = changes[max(0, start - 3) : start + 15]
        threads = [
            threading.Thread(
                target=partial(tables.aggregate(), event(batch, shard if windowed else None))
            )
            for windowed in shapes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

    assert tables.totals() == fold(list(tables.state.values()))


def board(tables: ScoreTables, count: int) -> list[tuple[int, str]]:
    places = leaderboard.read(tables.dynamodb, tables.prefix + TOTALS, INDEX, count)
    return [(place.rank, place.total.username) for place in places]


def test_the_board_is_read_from_the_index_over_its_pages(
    tables: ScoreTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaderboard, "PAGE_ROWS", 1)
    for number in range(20):
        tables.put(f"a{number}", record(f"user {number:02d}", 50))
    tables.put("top", record("Zoe", "50.1"))
    tables.put("low", record("Amy", "49.9"))
    tables.put("gone", record("Max", 99))
    tables.delete("gone")
    tables.run()

    assert board(tables, 3) == [(1, "Zoe"), (2, "user 00"), (2, "user 01")]
    everyone = [(1, "Zoe"), *((2, f"user {n:02d}") for n in range(20)), (22, "Amy")]
    assert board(tables, 30) == everyone


def test_the_board_of_no_scores_is_empty(tables: ScoreTables) -> None:
    assert board(tables, 3) == []


def test_an_event_of_another_table_has_checkpoints_of_its_own(tables: ScoreTables) -> None:
    """Two applies of the system share no lane, and neither does a table that is made anew."""
    other: Any = ScoreTables(tables.endpoint)
    other.settings["SCORES_TABLE"] = tables.settings["SCORES_TABLE"]
    other.settings["CHECKPOINT_TABLE"] = tables.prefix + "CheckpointTable"
    tables.put("1", record("John", 1))
    other.put("1", record("John", 1))

    tables.run()
    other.aggregate()(event(other.records()))

    assert tables.totals() == {"John": (2, 2)}
