"""GeneratorLambda sends a round's burst, compares the totals exactly, and scores the round."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from leda.pipeline import round as round_of_game
from leda_cli.operate.totals.oracle import Oracle
from support.memory_pipeline import MemoryPipeline

HARD = {
    "SPECIAL_TRADES": 1,
    "FAILURE_STATE_LAMBDA_PCT": 5,
    "FAILURE_MAP_LAMBDA_PCT": 10,
    "FAILURE_REDUCE_LAMBDA_PCT": 10,
}
Totals = dict[str, Decimal]


class Game(MemoryPipeline):
    """The function, and a stand-in for the stream and the pipeline behind it: whatever it accepts is in the totals.

    `refuse` gives the places of the records that a call refuses; `spoil` may change the totals.
    """

    def create(self) -> None:
        super().create()
        self.settings |= {
            "STREAM_NAME": "IncomingDataStream",
            "PARAMETER_TABLE": f"{self.prefix}ParameterTable",
        }
        self.oracle = Oracle()
        self.calls: list[int] = []
        self.refuse: Callable[[int, list[dict[str, Any]]], set[int]] = lambda _call, _records: set()
        self.spoil: Callable[[Totals], object] = lambda _totals: None
        self.generator = self.function("generator")

    def client(self, real: Any, service: str, **arguments: Any) -> Any:
        return self if service == "kinesis" else super().client(real, service, **arguments)

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        assert StreamName == "IncomingDataStream"
        self.calls.append(len(Records))
        refused = self.refuse(len(self.calls), Records)
        answers: list[dict[str, str]] = []
        for place, record in enumerate(Records):
            if place in refused:
                answers.append({"ErrorCode": "Throttled", "ErrorMessage": "Rate exceeded"})
            else:
                answers.append({"SequenceNumber": "1", "ShardId": "shardId-0"})
                self.oracle.see_bytes(record["Data"])
        totals = {node: total.value for node, total in self.oracle.totals().items()}
        self.spoil(totals)
        for node, total in totals.items():
            item = {"Identifier": {"S": node}, "Value": {"N": str(total)}}
            self.dynamodb.put_item(TableName=f"{self.prefix}AggregateTable", Item=item)
        return {"FailedRecordCount": len(refused), "Records": answers}

    def play(self, seconds: float = 60, **event: Any) -> dict[str, Any]:
        """Play a round of 200 messages; the function has so many seconds until its timeout."""
        given = {"messages": 200, "wait_seconds": 0.2, **event}
        result: dict[str, Any] = self.generator(given, seconds)
        assert json.loads(json.dumps(result)) == result
        return result

    def parameters(self) -> dict[str, int]:
        rows = self.rows("ParameterTable")
        return {row["parameter"]["S"]: int(row["value"]["N"]) for row in rows}

    def set(self, name: str, value: int) -> None:
        item = {"parameter": {"S": name}, "value": {"N": str(value)}}
        self.dynamodb.put_item(TableName=f"{self.prefix}ParameterTable", Item=item)


@pytest.fixture
def game(monkeypatch: pytest.MonkeyPatch) -> Game:
    monkeypatch.setattr(round_of_game, "CONFIRM_SECONDS", 0.05)
    monkeypatch.setattr(round_of_game, "POLL_SECONDS", 0.01)
    return Game()


def test_each_exact_round_scores_100_and_the_third_turns_the_hard_mode_on(game: Game) -> None:
    first = game.play()
    assert (first["points"], first["score"], first["mode"]) == (100, 100, "plain")
    assert (first["rows_that_differ"], first["differences"]) == (0, [])
    assert game.calls == [40] * 5
    assert game.parameters() == {"SCORE": 100}
    assert game.play()["score"] == 200
    assert game.parameters() == {"SCORE": 200}
    assert game.play()["mode"] == "plain"
    assert game.parameters() == {"SCORE": 300, **HARD}
    fourth = game.play()
    assert (fourth["mode"], fourth["duplicates"], fourth["points"]) == ("hard", 25, 100)


def _add_a_hundredth(totals: Totals) -> None:
    totals["PV"] += Decimal("0.01")


@pytest.mark.parametrize(
    ("spoil", "row", "difference"),
    [
        (_add_a_hundredth, "PV", Decimal("0.01")),
        (lambda totals: totals.update(Ghost=Decimal(1)), "Ghost", Decimal(1)),
    ],
    ids=["a hundredth too much", "a row that no message touches"],
)
def test_a_wrong_total_is_listed_and_the_round_scores_nothing(
    game: Game, spoil: Callable[[Totals], object], row: str, difference: Decimal
) -> None:
    game.spoil = spoil
    result = game.play()
    assert (result["points"], result["score"], result["rows_that_differ"]) == (0, 0, 1)
    (listed,) = result["differences"]
    assert listed["identifier"] == row
    assert Decimal(listed["found"]) - Decimal(listed["expected"]) == difference
    assert game.parameters() == {"SCORE": 0}


def test_a_round_without_points_leaves_the_hard_mode_on(game: Game) -> None:
    game.set("SCORE", 300)
    game.set("SPECIAL_TRADES", 1)
    game.spoil = lambda totals: totals.clear()
    assert game.play()["points"] == 0
    assert (game.parameters()["SCORE"], game.parameters()["SPECIAL_TRADES"]) == (300, 1)


def test_the_points_are_added_to_the_score_of_a_round_that_ended_meanwhile(game: Game) -> None:
    game.set("SCORE", 40)

    def other_round_ends(call: int, _records: object) -> set[int]:
        if call == 1:
            game.set("SCORE", 140)
        return set()

    game.refuse = other_round_ends
    assert game.play()["score"] == 240


def test_only_the_refused_records_of_a_call_are_sent_again(game: Game) -> None:
    game.refuse = lambda call, _records: {1, 5} if call == 2 else set()
    result = game.play()
    assert game.calls == [40, 40, 2, 40, 40, 40]
    assert result["points"] == 100


def test_a_call_whose_answer_is_lost_is_sent_again_and_stays_exact(game: Game) -> None:
    def lose_the_first_answer(call: int, records: list[dict[str, Any]]) -> set[int]:
        if call == 1:
            for record in records:
                game.oracle.see_bytes(record["Data"])
            raise ReadTimeoutError(endpoint_url="https://kinesis")
        return set()

    game.refuse = lose_the_first_answer
    assert game.play()["points"] == 100


def test_a_stream_that_keeps_refusing_is_reported_and_the_round_scores_nothing(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_of_game, "PUT_ATTEMPTS", 3)
    game.refuse = lambda _call, _records: {0}
    result = game.play()
    assert game.calls == [40, 1, 1]
    assert result["points"] == 0
    assert "did not take 1 record of" in result["not_sent"]
    assert "Rate exceeded" in result["not_sent"]


def test_a_burst_is_given_up_before_the_functions_timeout(game: Game) -> None:
    result = game.play(seconds=4)  # less than what is reserved for the score
    assert "no time left" in result["not_sent"]
    assert (game.calls, result["points"]) == ([], 0)


def test_the_wait_for_exact_totals_ends_before_the_functions_timeout(game: Game) -> None:
    game.spoil = lambda totals: totals.clear()
    result = game.play(seconds=5.5, wait_seconds=3600)
    assert result["points"] == 0
    assert result["rows_that_differ"] > 0


def test_totals_that_match_only_for_a_moment_are_not_exact() -> None:
    right = {"PV": Decimal(1)}
    looks = iter([{}, right, {"PV": Decimal(2)}])
    now = 0.0
    last: Totals = {}

    def totals() -> Totals:
        nonlocal last
        last = next(looks, last)
        return last

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    wrong, matched = round_of_game.wait_until_exact(totals, {}, right, 30.0, lambda: now, sleep)
    assert [row.identifier for row in wrong] == ["PV"]
    assert matched is None


def test_an_event_of_the_schedule_plays_a_whole_round(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(game.generator.module, "wait_seconds", 0.2)
    sent: list[int] = []
    monkeypatch.setattr(
        game.generator.module.stack, "put", lambda records, until: sent.append(len(records))
    )
    scheduled: dict[str, Any] = {
        "id": "1",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
    }
    # A null field counts as absent.
    result = game.play(**scheduled, messages=None, wait_seconds=None, seed=None)
    assert sent == [40] * 250
    assert result["messages"] == 10_000
