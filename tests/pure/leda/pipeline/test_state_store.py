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

from leda.pipeline.messages import Message
from leda.pipeline.state_rows import ATTRIBUTES
from leda.pipeline.state_store import (
    MAX_ROUNDS,
    MAX_STATEMENTS,
    Result,
    StateStore,
    StoreError,
    newest,
)
from simulation.failures import client_error, timed_out

Answer = dict[str, Any]


def message(identifier: str = "t", version: int = 1, value: int = 1) -> Message:
    return Message(identifier, version, Decimal(value), "PV", "{}", None)


class Table:
    """StateTable as the batch calls show it; `failures` answer a statement before the table does.

    `errors` are raised by the next statements' calls, after their effect or instead of it; `errors_of_looks` by the
    next reads. Keys that `unread` chooses are not processed.
    """

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.calls: list[list[str]] = []
        self.failures: list[Callable[[str], Answer | None]] = []
        self.errors: list[tuple[bool, Exception]] = []
        self.errors_of_looks: list[Exception] = []
        self.unread: Callable[[str], object] = lambda _key: False
        self._lock = threading.Lock()

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Answer:
        ((table, asked),) = RequestItems.items()
        assert table == "StateTable"
        assert asked["ConsistentRead"], "a row that is read late makes a new version look stored"
        with self._lock:
            keys = [key["id"]["S"] for key in asked["Keys"]]
            assert 0 < len(keys) <= 100, "a ValidationException"
            assert len(set(keys)) == len(keys), "a ValidationException"
            self.calls.append(["LOOK"] * len(keys))
            if self.errors_of_looks:
                raise self.errors_of_looks.pop(0)
            left = {key for key in keys if self.unread(key)}
            found = [
                {"id": {"S": key}} | self._version(key)
                for key in keys
                if key in self.rows and key not in left
            ]
            unprocessed = {table: {**asked, "Keys": [{"id": {"S": key}} for key in left]}}
            # In no order that AWS promises.
            return {
                "Responses": {table: found[::-1]},
                "UnprocessedKeys": unprocessed if left else {},
            }

    def _version(self, key: str) -> dict[str, Any]:
        return {name: value for name, value in self.rows[key].items() if name == "Version"}

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


def store_of(table: Table, pauses: list[float] | None = None) -> StateStore:
    client: Any = table
    return StateStore(client, "StateTable", 2, (pauses if pauses is not None else []).append)


def write(table: Table, *messages: Message, pauses: list[float] | None = None) -> dict[str, Result]:
    return results(store_of(table, pauses), *messages)


def results(store: StateStore, *messages: Message) -> dict[str, Result]:
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
        (0, 1, ["INSERT", "LOOK", "UPDATE"]),
        (-3, 0, ["INSERT", "LOOK", "UPDATE"]),
    ],
)
def test_a_wrong_guess_of_a_cold_environment_is_repaired(
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
    ("stored", "version", "result", "calls"),
    [
        (5, 5, Result.DUPLICATE, ["UPDATE"]),
        (5, 4, Result.STALE, ["UPDATE"]),
        (5, 1, Result.STALE, ["INSERT", "LOOK"]),
        (0, 0, Result.DUPLICATE, ["INSERT", "LOOK"]),
        (0, -1, Result.STALE, ["INSERT", "LOOK"]),
    ],
)
def test_what_is_not_newer_changes_nothing_and_costs_one_write_at_most(
    table: Table, stored: int, version: int, result: Result, calls: list[str]
) -> None:
    write(table, message(version=stored, value=1))
    table.calls.clear()

    assert write(table, message(version=version, value=2)) == {"t": result}
    assert table.rows["t"]["Value"] == {"N": "1"}
    assert [call for (call,) in table.calls] == calls


@pytest.mark.parametrize("version", [0, 1, 2, 9])
def test_a_row_without_a_version_is_refused_and_not_taken_for_a_newer_one(
    table: Table, version: int
) -> None:
    table.rows["t"] = {"Value": {"N": "1"}}

    assert write(table, message(version=version), message("u", 9)) == {
        "t": Result.REFUSED,
        "u": Result.STORED,
    }
    assert table.rows["t"] == {"Value": {"N": "1"}}


@pytest.mark.parametrize(
    ("stored", "version", "result"),
    [
        ("7.5", 7, Result.STALE),
        ("7.0", 7, Result.DUPLICATE),
        ("1.5", 1, Result.STALE),
        ("1.0", 1, Result.DUPLICATE),
        ("0.5", 1, Result.STORED),
    ],
)
def test_a_version_that_somebody_else_wrote_may_be_no_whole_number(
    table: Table, stored: str, version: int, result: Result
) -> None:
    table.rows["t"] = {"Version": {"N": stored}}

    assert write(table, message(version=version)) == {"t": result}


@pytest.mark.parametrize("count", [0, 1, 25, 26, 51])
def test_calls_carry_at_most_25_statements(table: Table, count: int) -> None:
    messages = [message(f"t{number}") for number in range(count)]

    found = write(table, *messages)

    assert list(found.values()) == [Result.STORED] * count
    assert len(table.calls) == -(-count // MAX_STATEMENTS)


def test_duplicates_anywhere_in_a_batch_are_looked_at_together_100_in_a_call(table: Table) -> None:
    messages = [message(f"t{number}") for number in range(500)]
    write(table, *messages[::4])
    table.calls.clear()

    found = write(table, *messages)

    assert list(found.values()).count(Result.DUPLICATE) == 125
    assert [len(call) for call in table.calls if call[0] == "LOOK"] == [100, 25]
    assert len(table.calls) == 500 // MAX_STATEMENTS + 2


# -- what a warm environment learns


def asked(table: Table, store: StateStore, *messages: Message) -> set[str]:
    """What was asked about the messages."""
    table.calls.clear()
    results(store, *messages)
    return {call for calls in table.calls for call in calls}


def many(prefix: str, version: int) -> list[Message]:
    return [message(f"{prefix}{number}", version) for number in range(50)]


def test_a_producer_that_counts_from_0_soon_costs_one_statement_a_version(table: Table) -> None:
    store = store_of(table)
    for number in range(2):
        write(table, *many(f"batch {number} ", 0))
        results(store, *many(f"batch {number} ", 1))

    assert asked(table, store, *many("new ", 0)) == {"INSERT"}
    write(table, *many("other ", 0))
    assert asked(table, store, *many("other ", 1)) == {"UPDATE"}


def test_first_versions_that_are_high_soon_cost_one_statement(table: Table) -> None:
    store = store_of(table)
    for number in range(2):
        results(store, *many(f"batch {number} ", 1_700_000_000 + number))

    assert asked(table, store, *many("new ", 1_700_000_003)) == {"INSERT"}


def test_where_nearly_all_are_duplicates_they_soon_cost_no_write(table: Table) -> None:
    store = store_of(table)
    for prefix in ("a", "b", "c", "d"):
        write(table, *many(prefix, 1))
    for prefix in ("a", "b", "c"):
        results(store, *many(prefix, 1))

    assert asked(table, store, *many("d", 1)) == {"LOOK"}
    # And what is new among them is stored all the same.
    assert set(results(store, message("new"), *many("d", 1)).values()) == {
        Result.STORED,
        Result.DUPLICATE,
    }
    assert table.rows["new"]["Version"] == {"N": "1"}


def test_what_one_environment_has_learned_is_not_known_to_another(table: Table) -> None:
    for number in range(5):
        write(table, *many(f"batch {number} ", 1_700_000_000))

    assert asked(table, store_of(table), *many("new ", 1_700_000_000)) == {"UPDATE", "INSERT"}


def test_a_copy_of_what_was_lately_stored_costs_a_read_and_no_write(table: Table) -> None:
    store = store_of(table)
    results(store, *many("t", 3))

    assert asked(table, store, *many("t", 3)) == {"LOOK"}
    assert asked(table, store, *many("t", 2)) == {"LOOK"}
    assert asked(table, store, *many("new ", 1), *many("t", 1)) == {"INSERT", "LOOK"}


def test_the_next_version_of_what_was_lately_met_is_sent_as_such_at_once(table: Table) -> None:
    store = store_of(table)
    write(table, *many("met ", 1))
    results(store, *many("stored ", 0), *many("met ", 1))

    assert asked(table, store, *many("stored ", 1), *many("met ", 2)) == {"UPDATE"}


def test_known_duplicates_change_no_guess_about_trades_that_are_not_known(table: Table) -> None:
    store = store_of(table)
    for _ in range(20):
        results(store, *many("t", 1))

    assert asked(table, store, *many("new ", 1)) == {"INSERT"}


@pytest.mark.parametrize("version", [0, 1, 2])
def test_what_was_met_is_no_proof_that_it_is_still_there(table: Table, version: int) -> None:
    store = store_of(table)
    results(store, message(version=1))
    # It expired, or the table was restored.
    table.rows.clear()

    assert results(store, message(version=version)) == {"t": Result.STORED}
    assert table.rows["t"]["Version"] == {"N": str(version)}


@pytest.mark.parametrize(
    ("version", "result"), [(2, Result.STALE), (5, Result.DUPLICATE), (6, Result.STORED)]
)
def test_a_row_may_be_newer_than_it_was_when_it_was_met(
    table: Table, version: int, result: Result
) -> None:
    store = store_of(table)
    results(store, message(version=1))
    write(table, message(version=5))

    assert results(store, message(version=version)) == {"t": result}
    assert table.rows["t"]["Version"] == {"N": str(max(5, version))}


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5)), max_size=30),
    st.integers(1, 3),
    st.data(),
)
def test_in_any_order_and_any_batches_and_environments_the_highest_version_stays(
    versions: list[tuple[str, int]], environments: int, data: st.DataObject
) -> None:
    table, pending = Table(), [message(*version) for version in versions]
    stores = [store_of(table) for _ in range(environments)]
    while pending:
        size = data.draw(st.integers(1, len(pending)))
        kept, _, _ = newest(pending[:size])
        results(data.draw(st.sampled_from(stores)), *kept)
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

    found = write(table, *[message(f"t{n}") for n in range(3)], pauses=pauses)

    assert set(found.values()) == {Result.STORED}
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

    found = write(table, message("a"), message("b", 7))

    stored = Result.DUPLICATE if has_effect else Result.STORED
    assert found["a"] is stored
    assert set(table.rows) == {"a", "b"}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_a_call_that_no_retry_mends_is_raised(table: Table, code: str) -> None:
    table.errors.append((False, client_error(code)))

    with pytest.raises(ClientError, match=code):
        write(table, message())

    assert len(table.calls) == 1


@pytest.mark.parametrize(
    "error",
    [
        timed_out(),
        client_error("InternalServerError", 500),
        client_error("ThrottlingException"),
        client_error("ProvisionedThroughputExceededException"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_a_look_that_fails_is_taken_again_after_a_pause(table: Table, error: Exception) -> None:
    write(table, message("a"), message("b", 0))
    table.errors_of_looks.append(error)
    pauses: list[float] = []

    found = write(table, message("a"), message("b"), message("c"), pauses=pauses)

    assert found == {"a": Result.DUPLICATE, "b": Result.STORED, "c": Result.STORED}
    assert table.rows["b"]["Version"] == {"N": "1"}
    assert len(pauses) == 1


def test_keys_that_are_not_processed_are_looked_at_again_and_they_alone(table: Table) -> None:
    duplicates = [message(name) for name in "abcd"]
    write(table, *duplicates)
    table.unread = lambda key: key in "bd" and ["LOOK"] * 4 in table.calls[-1:]
    pauses: list[float] = []

    found = write(table, *duplicates, pauses=pauses)

    assert found == dict.fromkeys("abcd", Result.DUPLICATE)
    assert [len(call) for call in table.calls if call[0] == "LOOK"] == [4, 2]
    assert len(pauses) == 1


def test_a_key_that_is_never_processed_is_reported_and_not_dropped(table: Table) -> None:
    write(table, message("a"), message("b"))
    table.unread = lambda key: key == "b"

    done = store_of(table).write([message("a"), message("b")])

    assert {one.message.id: (one.result, one.reason) for one in done} == {
        "a": (Result.DUPLICATE, ""),
        "b": (Result.FAILED, "its row was not read"),
    }


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_a_look_that_no_retry_mends_is_raised(table: Table, code: str) -> None:
    write(table, message())
    table.errors_of_looks.append(client_error(code))

    with pytest.raises(ClientError, match=code):
        write(table, message())


def test_a_row_that_is_gone_when_it_is_looked_at_is_inserted(table: Table) -> None:
    write(table, message())
    look = table.batch_get_item

    def gone(**request: Any) -> Answer:
        table.rows.clear()
        return look(**request)

    table.batch_get_item = gone  # type: ignore[method-assign]

    assert write(table, message(value=2)) == {"t": Result.STORED}
    assert table.rows["t"]["Value"] == {"N": "2"}


def test_a_row_that_comes_and_goes_does_not_hold_the_function_for_ever(table: Table) -> None:
    class Flickers(Table):
        def _execute(self, statement: dict[str, Any]) -> Answer:
            self.rows = {"t": {}}
            return super()._execute(statement)

        def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Answer:
            self.rows = {}
            return super().batch_get_item(RequestItems=RequestItems)

    flickers = Flickers()

    assert write(flickers, message()) == {"t": Result.FAILED}
    assert len(flickers.calls) == MAX_ROUNDS
