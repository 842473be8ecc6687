"""GeneratorLambda on moto: a round is sent, compared exactly, and scored."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from leda.pipeline import round as round_of_game
from leda_cli.base.paths import ROOT
from leda_cli.operate.totals.oracle import Oracle
from support.tables import definition

HANDLER = ROOT / "lambda_src" / "generator" / "handler.py"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_LAMBDA_FUNCTION_NAME": "GeneratorLambda",
    "POWERTOOLS_SERVICE_NAME": "GeneratorLambda",
    "STREAM_NAME": "IncomingDataStream",
    "AGGREGATE_TABLE": "AggregateTable",
    "PARAMETER_TABLE": "ParameterTable",
    "SCHEMA": "{}",
}


class Game:
    """The handler, its tables, and a pipeline that adds up whatever the stream takes."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.dynamodb: Any = boto3.client("dynamodb")
        self.oracle = Oracle()
        self.calls: list[int] = []
        self.refuse: Callable[[int, list[dict[str, Any]]], set[int]] = lambda call, records: set()
        self.spoil: Callable[[dict[str, Decimal]], None] = lambda totals: None
        for table, key in (("AggregateTable", "Identifier"), ("ParameterTable", "parameter")):
            self.dynamodb.create_table(**definition(table, {key: "S"}))
        module.stack._kinesis = self

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        assert StreamName == "IncomingDataStream"
        self.calls.append(len(Records))
        refused = self.refuse(len(self.calls), Records)
        for number, record in enumerate(Records):
            if number not in refused:
                self.oracle.see_bytes(record["Data"])
        answer: list[dict[str, str]] = [
            (
                {
                    "ErrorCode": "ProvisionedThroughputExceededException",
                    "ErrorMessage": "Rate exceeded",
                }
                if number in refused
                else {"SequenceNumber": "1", "ShardId": "shardId-0"}
            )
            for number in range(len(Records))
        ]
        totals = {node: total.value for node, total in self.oracle.totals().items()}
        self.spoil(totals)
        for row, total in totals.items():
            item = {"Identifier": {"S": row}, "Value": {"N": str(total)}}
            self.dynamodb.put_item(TableName="AggregateTable", Item=item)
        return {"FailedRecordCount": len(refused), "Records": answer}

    def play(self, event: dict[str, Any] | None = None, seconds: float = 60) -> dict[str, Any]:
        context = SimpleNamespace(
            function_name="GeneratorLambda",
            function_version="$LATEST",
            memory_limit_in_mb=512,
            invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:GeneratorLambda",
            aws_request_id="request",
            get_remaining_time_in_millis=lambda: seconds * 1000,
        )
        result = self.module.lambda_handler(
            {"messages": 200, "wait_seconds": 0.2} | (event or {}), context
        )
        assert json.loads(json.dumps(result)) == result
        return dict(result)

    def parameters(self) -> dict[str, int]:
        rows = self.dynamodb.scan(TableName="ParameterTable")["Items"]
        return {row["parameter"]["S"]: int(row["value"]["N"]) for row in rows}

    def set(self, name: str, value: int) -> None:
        item = {"parameter": {"S": name}, "value": {"N": str(value)}}
        self.dynamodb.put_item(TableName="ParameterTable", Item=item)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[Game]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        spec = importlib.util.spec_from_file_location("generator_handler", HANDLER)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(round_of_game, "CONFIRM_SECONDS", 0.05)
        monkeypatch.setattr(round_of_game, "POLL_SECONDS", 0.01)
        yield Game(module)


def test_an_exact_round_scores_100(played: Game) -> None:
    result = played.play()
    assert (result["points"], result["score"], result["mode"]) == (100, 100, "plain")
    assert (result["rows_that_differ"], result["differences"]) == (0, [])
    assert played.calls == [40] * 5
    assert played.parameters() == {"SCORE": 100}


def test_totals_from_before_do_not_count(played: Game) -> None:
    assert [played.play()["points"] for _ in range(2)] == [100, 100]


def test_a_hundredth_too_much_scores_nothing_and_is_listed(played: Game) -> None:
    def spoil(totals: dict[str, Decimal]) -> None:
        totals["PV"] += Decimal("0.01")

    played.spoil = spoil
    result = played.play()
    assert (result["points"], result["score"], result["rows_that_differ"]) == (0, 0, 1)
    (row,) = result["differences"]
    assert row["identifier"] == "PV"
    assert Decimal(row["found"]) - Decimal(row["expected"]) == Decimal("0.01")
    assert played.parameters() == {"SCORE": 0}


def test_a_row_that_no_message_touches_scores_nothing(played: Game) -> None:
    played.spoil = lambda totals: totals.update(Ghost=Decimal(1))
    assert played.play()["points"] == 0


def test_the_third_exact_round_makes_the_game_hard(played: Game) -> None:
    for score in (100, 200):
        assert played.play()["score"] == score
        assert "SPECIAL_TRADES" not in played.parameters()
    assert played.play()["mode"] == "plain"
    assert played.parameters() == {
        "SCORE": 300,
        "SPECIAL_TRADES": 1,
        "FAILURE_STATE_LAMBDA_PCT": 5,
        "FAILURE_MAP_LAMBDA_PCT": 10,
        "FAILURE_REDUCE_LAMBDA_PCT": 10,
    }
    result = played.play()
    assert (result["mode"], result["duplicates"], result["points"]) == ("hard", 25, 100)


def test_a_round_without_points_leaves_the_hard_mode_on(played: Game) -> None:
    played.set("SCORE", 300)
    played.set("SPECIAL_TRADES", 1)
    played.spoil = lambda totals: totals.clear()
    assert (played.play()["points"], played.parameters()["SCORE"]) == (0, 300)
    assert played.parameters()["SPECIAL_TRADES"] == 1


def test_the_score_is_added_and_not_overwritten(played: Game) -> None:
    played.set("SCORE", 40)

    def meanwhile(call: int, records: list[dict[str, Any]]) -> set[int]:
        if call == 1:
            played.set("SCORE", 140)  # another round ends while this one is on its way
        return set()

    played.refuse = meanwhile
    assert played.play()["score"] == 240


def test_only_the_records_that_the_stream_did_not_take_are_sent_again(played: Game) -> None:
    played.refuse = lambda call, records: {1, 5} if call == 2 else set()
    result = played.play()
    assert played.calls == [40, 40, 2, 40, 40, 40]
    assert result["points"] == 100


def test_a_call_without_an_answer_is_sent_again_and_stays_exact(played: Game) -> None:
    def refuse(call: int, records: list[dict[str, Any]]) -> set[int]:
        if call == 1:
            for record in records:  # it arrives, only its answer is lost
                played.oracle.see_bytes(record["Data"])
            raise ReadTimeoutError(endpoint_url="https://kinesis")
        return set()

    played.refuse = refuse
    assert played.play()["points"] == 100


def test_a_stream_that_refuses_for_good_is_reported_and_scores_nothing(
    played: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_of_game, "PUT_ATTEMPTS", 3)
    played.refuse = lambda call, records: {0}
    result = played.play()
    assert played.calls == [40, 1, 1]
    assert result["points"] == 0
    assert "did not take 1 records" in result["not_sent"]
    assert "Rate exceeded" in result["not_sent"]


def test_a_burst_that_outlasts_the_function_is_given_up_in_time(played: Game) -> None:
    result = played.play(seconds=4)  # less than what is kept for the score
    assert "no time left" in result["not_sent"]
    assert (played.calls, result["points"]) == ([], 0)


def test_the_wait_ends_before_the_functions_timeout(played: Game) -> None:
    played.spoil = lambda totals: totals.clear()
    result = played.play({"wait_seconds": 3600}, seconds=6)
    assert result["points"] == 0
    assert result["rows_that_differ"] > 0


def test_totals_that_match_only_for_a_moment_are_not_exact() -> None:
    right = {"PV": Decimal(1)}
    looks = iter([{}, right, {"PV": Decimal(2)}])
    now = 0.0
    last: dict[str, Decimal] = {}

    def totals() -> dict[str, Decimal]:
        nonlocal last
        last = next(looks, last)
        return last

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    wrong, matched = round_of_game.wait_until_exact(totals, {}, right, 30.0, lambda: now, sleep)
    assert [row.identifier for row in wrong] == ["PV"]
    assert matched is None


def test_the_same_seed_plays_the_same_round(played: Game) -> None:
    played.play({"seed": 11})
    before = played.oracle.totals()
    result = played.play({"seed": 11})
    # Every message is a duplicate now: nothing changes, which is not what the burst adds up to.
    assert played.oracle.totals() == before
    assert result["points"] == 0


def test_an_event_of_the_schedule_plays_a_whole_round(
    played: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(played.module, "wait_seconds", 0.2)
    sent: list[int] = []
    monkeypatch.setattr(
        played.module.stack, "put", lambda records, until: sent.append(len(records))
    )
    context = SimpleNamespace(
        function_name="GeneratorLambda",
        function_version="1",
        memory_limit_in_mb=512,
        invoked_function_arn="arn",
        aws_request_id="r",
        get_remaining_time_in_millis=lambda: 60_000,
    )
    event: dict[str, Any] = {
        "version": "0",
        "id": "1",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
    }
    # Null is as if it were not there.
    event |= {"messages": None, "wait_seconds": None, "seed": None}
    result = played.module.lambda_handler(event, context)
    assert sent == [40] * 250
    assert result["messages"] == 10_000
