"""The plugin's changes of LocalStack, tested without LocalStack."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda_localstack.bisect import forward_in_halves
from leda_localstack.emulators import JAVA_FLAGS, java_command
from leda_localstack.images import into_events
from leda_localstack.polling import poll_every_shard


class WholeBatchFailed(Exception):
    """LocalStack's BatchFailureError."""


class Poller:
    """A poller that retries as LocalStack's does, over a processor that fails on bad records."""

    def __init__(self, bad: set[int], retries: int = 2) -> None:
        self.processor: Any = self
        self.bad, self.retries = bad, retries
        self.delivered: list[int] = []
        self.discarded: list[int] = []
        self.tries: list[list[int]] = []

    def process_events_batch(self, input_events: list[int]) -> None:
        self.tries.append(list(input_events))
        if self.bad & set(input_events):
            raise WholeBatchFailed
        self.delivered += input_events


def forward(poller: Poller, shard: str, records: list[int]) -> None:
    """As StreamPoller.forward_events_to_target: every Exception is retried, then the batch is discarded."""
    for _ in range(poller.retries + 1):
        try:
            poller.processor.process_events_batch(records)
            return
        except Exception:  # noqa: S112 - what the real one does
            continue
    poller.discarded += records


def run(poller: Poller, records: list[int], how: Callable[..., None] = forward) -> None:
    forward_in_halves(poller, how, "shard", records, WholeBatchFailed)  # type: ignore[arg-type]


@given(st.integers(0, 40), st.sets(st.integers(0, 39)))
def test_only_bad_records_are_discarded_and_the_order_is_kept(count: int, bad: set[int]) -> None:
    poller = Poller(bad)
    run(poller, list(range(count)))
    assert poller.delivered == [n for n in range(count) if n not in bad]
    assert poller.discarded == sorted(n for n in bad if n < count)
    assert poller.processor is poller


def test_splitting_a_batch_does_not_count_as_a_retry() -> None:
    poller = Poller({2}, retries=3)
    run(poller, [0, 1, 2, 3])
    assert poller.tries == [[0, 1, 2, 3], [0, 1], [2, 3], [2], [2], [2], [2], [3]]


def test_halves_are_copies_for_a_poller_that_changes_its_records() -> None:
    """LocalStack's poller of DynamoDB streams converts each record's time into a number, which works only once."""
    poller = Poller({3})

    def changing(poller: Poller, shard: str, records: list[dict[str, Any]]) -> None:
        for record in records:
            record["time"] = record["time"].timestamp()
        forward(poller, shard, [record["number"] for record in records])

    moment = datetime(2025, 1, 1, tzinfo=UTC)
    records: Any = [{"number": n, "time": moment} for n in range(5)]
    run(poller, records, changing)

    assert poller.delivered == [0, 1, 2, 4]
    assert poller.discarded == [3]


def test_an_unexpected_error_is_raised_to_the_poller() -> None:
    poller = Poller(set())

    def broken(*_: object) -> None:
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        run(poller, [1, 2], broken)
    assert poller.processor is poller


def test_dynamodb_local_runs_without_the_agent_and_writes_into_its_folder() -> None:
    command = ["java", "-Xmx1g", "-javaagent:loader.jar", "-jar", "DynamoDBLocal.jar"]
    assert java_command(command, "/scratch") == [
        "java",
        *JAVA_FLAGS,
        "-XX:-UsePerfData",
        "-Djava.io.tmpdir=/scratch",
        "-Xmx1g",
        "-jar",
        "DynamoDBLocal.jar",
    ]


class Stopping:
    """An event that is set after `looks` checks; `waited` has the seconds that somebody waited for it."""

    def __init__(self, looks: int) -> None:
        self.left, self.waited = looks, 0.0

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0

    def wait(self, seconds: float) -> None:
        self.waited += seconds


def poller_of(shards: int, stopping: Stopping) -> Any:
    return type("Poller", (), {"shards": dict.fromkeys(range(shards)), "_is_shutdown": stopping})()


@pytest.mark.parametrize(("shards", "polls"), [(0, 1), (1, 1), (16, 16)])
def test_a_round_polls_every_shard_once_within_its_interval(shards: int, polls: int) -> None:
    polled: list[Any] = []
    stopping = Stopping(99)
    poller = poller_of(shards, stopping)

    poll_every_shard(poller, polled.append, 30.0)

    assert polled == [poller] * polls
    assert 20 < stopping.waited <= 30


def test_a_mapping_that_is_stopped_polls_no_further_shard() -> None:
    polled: list[Any] = []
    stopping = Stopping(3)

    poll_every_shard(poller_of(16, stopping), polled.append, 30.0)

    assert (len(polled), stopping.waited) == (3, 0.0)


def test_an_empty_map_in_an_image_has_its_type() -> None:
    image = {"id": {"S": ""}, "Totals": {}, "deep": {"L": [{}, {"M": {"in": {}}}, {"L": []}]}}
    typed = {
        "id": {"S": ""},
        "Totals": {"M": {}},
        "deep": {"L": [{"M": {}}, {"M": {"in": {"M": {}}}}, {"L": []}]},
    }
    records: list[dict[str, Any]] = [
        {"dynamodb": {"Keys": {"id": {"S": ""}}, "NewImage": dict(image)}},
        {"dynamodb": {"OldImage": dict(image), "NewImage": dict(typed)}},
        {"dynamodb": {"OldImage": {}}},
    ]
    assert into_events(records, "shard", lambda *given: given) == (
        [
            {"dynamodb": {"Keys": {"id": {"S": ""}}, "NewImage": typed}},
            {"dynamodb": {"OldImage": typed, "NewImage": typed}},
            {"dynamodb": {"OldImage": {}}},
        ],
        "shard",
    )
