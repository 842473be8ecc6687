"""Writing to StateTable, against a client that answers as DynamoDB does, errors of single statements included."""

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from leda.pipeline.messages import Message
from leda.pipeline.state_store import (
    MAX_ROUNDS,
    MAX_STATEMENTS,
    Result,
    StateStore,
    StoreError,
    newest,
)
from leda_cli.memory_dynamodb.changes import StreamedDynamoDB
from simulation.failures import client_error, timed_out
from support.faults import Faults, FaultyClient, after, instead, meanwhile

Answer = dict[str, Any]


def message(identifier: str = "t", version: int = 1, value: int = 1) -> Message:
    return Message(identifier, version, Decimal(value), "PV", "{}", None)


class Table(StreamedDynamoDB):
    """StateTable in memory, which records its calls.

    `failures` may give the error of a statement, by its row's key; `faults` are those of whole calls.
    Keys that `unread` chooses are returned as unprocessed.
    """

    def __init__(self) -> None:
        super().__init__({"StateTable": ("id",)})
        self.calls: list[list[str]] = []
        self.failures: list[Callable[[str], Answer | None]] = []
        self.faults = Faults()
        self.unread: Callable[[str], object] = lambda _key: False

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows by their key, each without its key."""
        found = self.scan(TableName="StateTable", ConsistentRead=True)["Items"]
        return {row.pop("id")["S"]: row for row in found}

    def become(self, **rows: dict[str, Any]) -> None:
        """Replace all rows with these, as another writer could."""
        given = [{"id": {"S": key}, **row} for key, row in rows.items()]
        self.restore("StateTable", given)

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Answer:
        asked = RequestItems["StateTable"]
        self.calls.append(["LOOK"] * len(asked["Keys"]))
        left = [key for key in asked["Keys"] if self.unread(key["id"]["S"])]
        keys = [key for key in asked["Keys"] if key not in left]
        found: Answer = {"Responses": {}, "UnprocessedKeys": {}}
        if keys:
            found = super().batch_get_item(RequestItems={"StateTable": {**asked, "Keys": keys}})
            # AWS promises no order.
            found["Responses"]["StateTable"].reverse()
        return found | ({"UnprocessedKeys": {"StateTable": {"Keys": left}}} if left else {})

    def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> Answer:
        self.calls.append([each["Statement"].split()[0] for each in Statements])
        failed = [self._failure(each) for each in Statements]
        sent = [each for each, error in zip(Statements, failed, strict=True) if not error]
        answer = super().batch_execute_statement(Statements=sent) if sent else {"Responses": []}
        done = iter(answer["Responses"])
        return {"Responses": [{"Error": error} if error else next(done) for error in failed]}

    def _failure(self, statement: dict[str, Any]) -> Answer | None:
        is_insert = statement["Statement"].startswith("INSERT")
        key = statement["Parameters"][0 if is_insert else -2]["S"]
        return next((error for failure in self.failures if (error := failure(key))), None)


@pytest.fixture
def table() -> Table:
    return Table()


def store_of(table: Table, pauses: list[float] | None = None) -> StateStore:
    client: Any = FaultyClient(table, table.faults)
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
def test_the_newest_version_of_each_id_is_kept_and_the_others_are_counted(
    messages: list[Message],
) -> None:
    kept, duplicates, stale = newest(messages)

    assert len(kept) + duplicates + stale == len(messages)
    assert {one.id: one.version for one in kept} == {
        one.id: max(other.version for other in messages if other.id == one.id) for one in messages
    }
    for one in kept:
        # As it would be if they had come in two batches.
        first = next(m for m in messages if (m.id, m.version) == (one.id, one.version))
        assert one is first


# -- guesses


@pytest.mark.parametrize(
    ("stored", "version", "result", "calls"),
    [
        (None, 1, Result.STORED, ["INSERT"]),
        (None, 0, Result.STORED, ["INSERT"]),
        (None, 7, Result.STORED, ["UPDATE", "INSERT"]),
        (1, 2, Result.STORED, ["UPDATE"]),
        (0, 1, Result.STORED, ["INSERT", "LOOK", "UPDATE"]),
        (-3, 0, Result.STORED, ["INSERT", "LOOK", "UPDATE"]),
        # What is not newer costs at most one write.
        (5, 5, Result.DUPLICATE, ["UPDATE"]),
        (5, 4, Result.STALE, ["UPDATE"]),
        (5, 1, Result.STALE, ["INSERT", "LOOK"]),
        (0, 0, Result.DUPLICATE, ["INSERT", "LOOK"]),
        (0, -1, Result.STALE, ["INSERT", "LOOK"]),
    ],
)
def test_a_cold_environment_stores_what_is_newer_also_after_a_wrong_guess(
    table: Table, stored: int | None, version: int, result: Result, calls: list[str]
) -> None:
    if stored is not None:
        write(table, message(version=stored, value=1))
        table.calls.clear()

    assert write(table, message(version=version, value=9)) == {"t": result}
    assert [call for (call,) in table.calls] == calls
    is_stored = result is Result.STORED
    assert table.rows["t"]["Version"] == {"N": str(version if is_stored else stored)}
    assert table.rows["t"]["Value"] == {"N": "9" if is_stored else "1"}


@pytest.mark.parametrize("version", [0, 1, 2, 9])
def test_a_row_without_a_version_is_refused(table: Table, version: int) -> None:
    table.become(t={"Value": {"N": "1"}})

    assert write(table, message(version=version), message("u", 9)) == {
        "t": Result.REFUSED,
        "u": Result.STORED,
    }
    assert table.rows["t"] == {"Value": {"N": "1"}}


@pytest.mark.parametrize(
    ("stored", "version", "result"),
    [
        ({"N": "7.5"}, 7, Result.STALE),
        ({"N": "1.5"}, 1, Result.STALE),
        ({"N": "0.5"}, 1, Result.STORED),
        ({"S": "9"}, 7, Result.REFUSED),
    ],
)
def test_a_stored_version_that_is_not_a_whole_number_is_compared_or_refused(
    table: Table, stored: dict[str, str], version: int, result: Result
) -> None:
    table.become(t={"Version": stored})

    assert write(table, message(version=version)) == {"t": result}


@pytest.mark.parametrize("count", [0, 1, 25, 26, 51])
def test_a_call_has_at_most_25_statements(table: Table, count: int) -> None:
    messages = [message(f"t{number}") for number in range(count)]

    found = write(table, *messages)

    assert list(found.values()) == [Result.STORED] * count
    assert len(table.calls) == -(-count // MAX_STATEMENTS)


def test_duplicates_are_read_together_100_in_a_call(table: Table) -> None:
    messages = [message(f"t{number}") for number in range(500)]
    write(table, *messages[::4])
    table.calls.clear()

    found = write(table, *messages)

    assert list(found.values()).count(Result.DUPLICATE) == 125
    assert [len(call) for call in table.calls if call[0] == "LOOK"] == [100, 25]
    assert len(table.calls) == 500 // MAX_STATEMENTS + 2


# -- what a warm environment learns


def asked(table: Table, store: StateStore, *messages: Message) -> set[str]:
    """The requests that storing the messages takes."""
    table.calls.clear()
    results(store, *messages)
    return {call for calls in table.calls for call in calls}


def many(prefix: str, version: int) -> list[Message]:
    return [message(f"{prefix}{number}", version) for number in range(50)]


def test_versions_that_count_from_0_soon_cost_one_statement_each(table: Table) -> None:
    store = store_of(table)
    for number in range(2):
        write(table, *many(f"batch {number} ", 0))
        results(store, *many(f"batch {number} ", 1))

    assert asked(table, store, *many("new ", 0)) == {"INSERT"}
    write(table, *many("other ", 0))
    assert asked(table, store, *many("other ", 1)) == {"UPDATE"}


def test_duplicates_that_are_nearly_all_messages_soon_cost_no_write(table: Table) -> None:
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


def test_a_duplicate_of_a_recently_stored_message_costs_a_read_and_no_write(table: Table) -> None:
    store = store_of(table)
    results(store, *many("t", 3))

    assert asked(table, store, *many("t", 3)) == {"LOOK"}
    assert asked(table, store, *many("t", 2)) == {"LOOK"}
    assert asked(table, store, *many("new ", 1), *many("t", 1)) == {"INSERT", "LOOK"}


def test_the_next_version_of_a_recently_seen_row_is_sent_as_an_update(table: Table) -> None:
    store = store_of(table)
    write(table, *many("met ", 1))
    results(store, *many("stored ", 0), *many("met ", 1))

    assert asked(table, store, *many("stored ", 1), *many("met ", 2)) == {"UPDATE"}


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_recently_seen_row_that_has_been_deleted_is_inserted_again(
    table: Table, version: int
) -> None:
    store = store_of(table)
    results(store, message(version=1))
    # It expired, or the table was restored.
    table.become()

    assert results(store, message(version=version)) == {"t": Result.STORED}
    assert table.rows["t"]["Version"] == {"N": str(version)}


@pytest.mark.parametrize(
    ("version", "result"), [(2, Result.STALE), (5, Result.DUPLICATE), (6, Result.STORED)]
)
def test_a_recently_seen_row_that_has_become_newer_is_compared_as_it_is(
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
def test_the_highest_version_stays_in_any_order_batches_and_environments(
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
def test_a_statement_that_fails_in_a_successful_response_is_sent_again(
    table: Table, code: str
) -> None:
    table.failures.append(once(code))
    pauses: list[float] = []

    found = write(table, *[message(f"t{n}") for n in range(3)], pauses=pauses)

    assert set(found.values()) == {Result.STORED}
    assert len(pauses) == 1


def test_a_statement_that_always_fails_is_reported_and_the_others_are_stored(table: Table) -> None:
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


def test_pauses_grow_after_failures_and_a_wrong_guess_causes_none(
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


def test_a_row_that_dynamodb_refuses_is_reported_with_the_reason(table: Table) -> None:
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
def test_an_error_that_concerns_every_message_is_raised(table: Table, code: str) -> None:
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
def test_a_call_that_fails_or_loses_its_answer_is_sent_again(
    table: Table, error: Exception, has_effect: bool
) -> None:
    table.faults.arm("batch_execute_statement", 1, (after if has_effect else instead)(error))

    found = write(table, message("a"), message("b", 7))

    stored = Result.DUPLICATE if has_effect else Result.STORED
    assert found["a"] is stored
    assert set(table.rows) == {"a", "b"}


@pytest.mark.parametrize("operation", ["batch_execute_statement", "batch_get_item"])
@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_an_error_that_a_retry_cannot_cure_is_raised(
    table: Table, operation: str, code: str
) -> None:
    write(table, message())
    table.faults.arm(operation, 1, instead(client_error(code)))

    with pytest.raises(ClientError, match=code):
        write(table, message())

    assert table.faults.log[-1] == operation


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
def test_a_read_that_fails_is_repeated_after_a_pause(table: Table, error: Exception) -> None:
    write(table, message("a"), message("b", 0))
    table.faults.arm("batch_get_item", 1, instead(error))
    pauses: list[float] = []

    found = write(table, message("a"), message("b"), message("c"), pauses=pauses)

    assert found == {"a": Result.DUPLICATE, "b": Result.STORED, "c": Result.STORED}
    assert table.rows["b"]["Version"] == {"N": "1"}
    assert len(pauses) == 1


def test_only_unprocessed_keys_are_read_again(table: Table) -> None:
    duplicates = [message(name) for name in "abcd"]
    write(table, *duplicates)
    table.unread = lambda key: key in "bd" and ["LOOK"] * 4 in table.calls[-1:]
    pauses: list[float] = []

    found = write(table, *duplicates, pauses=pauses)

    assert found == dict.fromkeys("abcd", Result.DUPLICATE)
    assert [len(call) for call in table.calls if call[0] == "LOOK"] == [4, 2]
    assert len(pauses) == 1


def test_a_key_that_stays_unprocessed_is_reported(table: Table) -> None:
    write(table, message("a"), message("b"))
    table.unread = lambda key: key == "b"

    done = store_of(table).write([message("a"), message("b")])

    assert {one.message.id: (one.result, one.reason) for one in done} == {
        "a": (Result.DUPLICATE, ""),
        "b": (Result.FAILED, "its row was not read"),
    }


def test_a_row_that_is_deleted_before_it_is_read_is_inserted(table: Table) -> None:
    write(table, message())
    table.faults.arm("batch_get_item", 1, meanwhile(table.become))

    assert write(table, message(value=2)) == {"t": Result.STORED}
    assert table.rows["t"]["Value"] == {"N": "2"}


def test_a_row_that_appears_and_disappears_is_given_up(table: Table) -> None:
    class Flickers(Table):
        def batch_execute_statement(self, **request: Any) -> Answer:
            self.become(t={})
            return super().batch_execute_statement(**request)

        def batch_get_item(self, **request: Any) -> Answer:
            self.become()
            return super().batch_get_item(**request)

    flickers = Flickers()

    assert write(flickers, message()) == {"t": Result.FAILED}
    assert len(flickers.calls) == MAX_ROUNDS


def test_known_duplicates_do_not_change_guesses_about_unknown_trades(table: Table) -> None:
    store = store_of(table)
    for _ in range(20):
        results(store, *many("t", 1))

    assert asked(table, store, *many("new ", 1)) == {"INSERT"}


def test_a_repeated_version_is_a_duplicate_and_a_lower_one_is_stale() -> None:
    batch = [message(version=2), message(version=2), message(version=1), message(version=3)]

    assert newest(batch) == ([batch[3]], 1, 2)
