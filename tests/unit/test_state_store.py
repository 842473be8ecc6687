"""StateTable's write path against a client that answers as DynamoDB does, errors inside HTTP 200 included."""

import random
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from leda.images import ATTRIBUTES
from leda.messages import Message
from leda.state_store import MAX_ROUNDS, MAX_STATEMENTS, Result, StateStore, StoreError, newest
from support.faults import client_error, timed_out

Answer = dict[str, Any]


def message(identifier: str = "t", version: int = 1, value: int = 1) -> Message:
    return Message(identifier, version, Decimal(value), "PV", "{}", None)


class Table:
    """StateTable as BatchExecuteStatement shows it; `failures` answer a statement before the table does."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.calls: list[list[str]] = []
        self.failures: list[Callable[[str], Answer | None]] = []
        self.errors: list[tuple[bool, Exception]] = []
        self._lock = threading.Lock()

    def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> Answer:
        with self._lock:
            keys = [self._id(statement) for statement in Statements]
            assert 0 < len(keys) <= 25, "a ValidationException"
            assert len(set(keys)) == len(keys), "a ValidationException after some were applied"
            self.calls.append([statement["Statement"].split()[0] for statement in Statements])
            error = self.errors.pop(0) if self.errors else None
            if error and not error[0]:
                raise error[1]
            answers = [self._execute(statement) for statement in Statements]
            if error:
                raise error[1]
            return {"Responses": answers}

    @staticmethod
    def _id(statement: dict[str, Any]) -> str:
        is_insert = statement["Statement"].startswith("INSERT")
        identifier: str = statement["Parameters"][0 if is_insert else -2]["S"]
        return identifier

    def _execute(self, statement: dict[str, Any]) -> Answer:
        key, parameters = self._id(statement), statement["Parameters"]
        for failure in self.failures:
            if answer := failure(key):
                return {"Error": answer}
        if statement["Statement"].startswith("INSERT"):
            if key in self.rows:
                return {"Error": {"Code": "DuplicateItem", "Message": "Duplicate primary key"}}
            self.rows[key] = dict(zip(ATTRIBUTES, parameters[1:], strict=True))
            return {"TableName": "StateTable"}
        row = self.rows.get(key)
        stored = (row or {}).get("Version", {}).get("N")
        if stored is None or Decimal(stored) >= Decimal(parameters[-1]["N"]):
            failed: Answer = {
                "Code": "ConditionalCheckFailed",
                "Message": "The conditional request failed",
            }
            assert statement["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
            return {"Error": failed | ({"Item": row} if row is not None else {})}
        self.rows[key] = dict(zip(ATTRIBUTES, parameters[:-2], strict=True))
        return {"TableName": "StateTable"}


@pytest.fixture
def table() -> Table:
    return Table()


def write(table: Table, *messages: Message, pauses: list[float] | None = None) -> dict[str, Result]:
    client: Any = table
    store = StateStore(client, "StateTable", 2, (pauses if pauses is not None else []).append)
    done = store.write(messages)
    assert len(done) == len(messages)
    return {stored.message.id: stored.result for stored in done}


def always(code: str, text: str = "") -> Callable[[str], Answer]:
    return lambda _key: {"Code": code, "Message": text}


def once(code: str) -> Callable[[str], Answer | None]:
    seen: set[str] = set()

    def failure(key: str) -> Answer | None:
        if key in seen:
            return None
        seen.add(key)
        return {"Code": code, "Message": code}

    return failure


# -- the newest of a batch

MESSAGES = st.lists(
    st.builds(message, st.sampled_from("abc"), st.integers(0, 4), st.integers(0, 9))
)


@given(MESSAGES)
def test_the_newest_of_each_id_is_kept_and_the_rest_is_counted(messages: list[Message]) -> None:
    kept, duplicates, stale = newest(messages)

    assert len(kept) + duplicates + stale == len(messages)
    assert {one.id: one.version for one in kept} == {
        one.id: max(other.version for other in messages if other.id == one.id) for one in messages
    }
    for one in kept:
        # As it would be if they had come in two batches.
        first = next(m for m in messages if (m.id, m.version) == (one.id, one.version))
        assert one is first


def test_a_version_twice_is_a_duplicate_and_a_lower_one_is_stale() -> None:
    batch = [message(version=2), message(version=2), message(version=1), message(version=3)]

    assert newest(batch) == ([batch[3]], 1, 2)


# -- guesses


@pytest.mark.parametrize(
    ("stored", "version", "calls"),
    [
        (None, 1, ["INSERT"]),
        (None, 0, ["INSERT"]),
        (None, 7, ["UPDATE", "INSERT"]),
        (1, 2, ["UPDATE"]),
        (0, 1, ["INSERT", "UPDATE"]),
        (-3, 1, ["INSERT", "UPDATE"]),
    ],
)
def test_a_wrong_guess_costs_one_more_call(
    table: Table, stored: int | None, version: int, calls: list[str]
) -> None:
    if stored is not None:
        write(table, message(version=stored))
        table.calls.clear()

    assert write(table, message(version=version, value=9)) == {"t": Result.STORED}
    assert [call for (call,) in table.calls] == calls
    assert table.rows["t"]["Version"] == {"N": str(version)}
    assert table.rows["t"]["Value"] == {"N": "9"}


@pytest.mark.parametrize(
    ("version", "result"),
    [(5, Result.DUPLICATE), (4, Result.STALE), (1, Result.STALE), (0, Result.STALE)],
)
def test_what_is_not_newer_changes_nothing(table: Table, version: int, result: Result) -> None:
    write(table, message(version=5, value=1))

    assert write(table, message(version=version, value=2)) == {"t": result}
    assert table.rows["t"]["Value"] == {"N": "1"}


def test_a_row_without_a_version_is_refused_and_not_taken_for_a_newer_one(table: Table) -> None:
    table.rows["t"] = {"Value": {"N": "1"}}

    assert write(table, message(version=1), message("u", 9)) == {
        "t": Result.REFUSED,
        "u": Result.STORED,
    }
    assert table.rows["t"] == {"Value": {"N": "1"}}


@pytest.mark.parametrize(("stored", "result"), [("7.5", Result.STALE), ("7.0", Result.DUPLICATE)])
def test_a_version_that_somebody_else_wrote_may_be_no_whole_number(
    table: Table, stored: str, result: Result
) -> None:
    table.rows["t"] = {"Version": {"N": stored}}

    assert write(table, message(version=7)) == {"t": result}


@pytest.mark.parametrize("count", [0, 1, 25, 26, 51])
def test_calls_carry_at_most_25_statements(table: Table, count: int) -> None:
    messages = [message(f"t{number}") for number in range(count)]

    results = write(table, *messages)

    assert list(results.values()) == [Result.STORED] * count
    assert len(table.calls) == -(-count // MAX_STATEMENTS)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5)), max_size=30), st.data())
def test_in_any_order_and_any_batches_the_highest_version_stays(
    versions: list[tuple[str, int]], data: st.DataObject
) -> None:
    table, pending = Table(), [message(*version) for version in versions]
    while pending:
        size = data.draw(st.integers(1, len(pending)))
        kept, _, _ = newest(pending[:size])
        write(table, *kept)
        pending = pending[size:]

    assert {key: int(row["Version"]["N"]) for key, row in table.rows.items()} == {
        key: max(version for other, version in versions if other == key) for key, _ in versions
    }


# -- failures


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "InternalServerError",
        "TransactionConflict",
        "RequestLimitExceeded",
        "AnythingNew",
    ],
)
def test_a_statement_that_fails_inside_a_good_answer_is_tried_again(
    table: Table, code: str
) -> None:
    table.failures.append(once(code))
    pauses: list[float] = []

    results = write(table, *[message(f"t{n}") for n in range(3)], pauses=pauses)

    assert set(results.values()) == {Result.STORED}
    assert len(pauses) == 1


def test_a_statement_that_fails_for_ever_is_reported_and_the_others_are_stored(
    table: Table,
) -> None:
    table.failures.append(
        lambda key: {"Code": "ThrottlingError", "Message": "slow down"} if key == "b" else None
    )
    client: Any = table
    store = StateStore(client, "StateTable", 1, lambda _seconds: None)

    done = store.write([message("a"), message("b"), message("c")])

    assert {one.message.id: one.result for one in done} == {
        "a": Result.STORED,
        "b": Result.FAILED,
        "c": Result.STORED,
    }
    assert [one.reason for one in done if one.result is Result.FAILED] == [
        "ThrottlingError: slow down"
    ]
    # Only what failed is asked for again.
    assert [len(call) for call in table.calls] == [3] + [1] * (MAX_ROUNDS - 1)


def test_pauses_grow_and_a_wrong_guess_takes_none(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _least, most: most)
    pauses: list[float] = []
    write(table, message(version=5), pauses=pauses)
    assert pauses == []

    table.failures.append(always("ThrottlingError"))
    write(table, message("u"), pauses=pauses)

    assert pauses == sorted(pauses)
    assert len(set(pauses)) == len(pauses) > 1
    assert sum(pauses) < 15


def test_a_row_that_dynamodb_refuses_is_named_with_its_reason(table: Table) -> None:
    table.failures.append(
        lambda key: {"Code": "ValidationError", "Message": "Item size"} if key == "a" else None
    )
    client: Any = table

    done = StateStore(client, "StateTable", 1).write([message("a"), message("b")])

    refused = [one for one in done if one.result is Result.REFUSED]
    assert [(one.message.id, one.reason) for one in refused] == [
        ("a", "DynamoDB refuses the row: Item size")
    ]
    assert "b" in table.rows


@pytest.mark.parametrize("code", ["AccessDenied", "ResourceNotFound"])
def test_what_concerns_every_message_is_raised(table: Table, code: str) -> None:
    table.failures.append(always(code, "no"))

    with pytest.raises(StoreError, match=code):
        write(table, message())


@pytest.mark.parametrize("has_effect", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        timed_out(),
        client_error("InternalServerError", 500),
        client_error("ServiceUnavailable", 503),
        client_error("ThrottlingException"),
        client_error("ProvisionedThroughputExceededException"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_a_call_that_fails_or_whose_answer_is_lost_is_made_again(
    table: Table, error: Exception, has_effect: bool
) -> None:
    table.errors.append((has_effect, error))

    results = write(table, message("a"), message("b", 7))

    stored = Result.DUPLICATE if has_effect else Result.STORED
    assert results["a"] is stored
    assert set(table.rows) == {"a", "b"}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_a_call_that_no_retry_mends_is_raised(table: Table, code: str) -> None:
    table.errors.append((False, client_error(code)))

    with pytest.raises(ClientError, match=code):
        write(table, message())

    assert len(table.calls) == 1


def test_a_row_that_comes_and_goes_does_not_hold_the_function_for_ever(table: Table) -> None:
    class Flickers(Table):
        def _execute(self, statement: dict[str, Any]) -> Answer:
            self.rows = {} if statement["Statement"].startswith("UPDATE") else {"t": {}}
            return super()._execute(statement)

    flickers = Flickers()

    assert write(flickers, message()) == {"t": Result.FAILED}
    assert len(flickers.calls) == MAX_ROUNDS
