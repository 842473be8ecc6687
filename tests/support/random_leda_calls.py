"""Random calls of LEDA's code that writes to DynamoDB: Map, Reduce and State."""

from collections.abc import Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

from leda.engine.delta_rows import Lane, item, lane_number
from leda.engine.group_by.configuration import Configuration
from leda.engine.map.map_rows import MapRows
from leda.engine.map.source_shards import SourceShards
from leda.engine.reduce.epochs import Epochs
from leda.engine.reduce.totals import Totals
from leda.engine.registry import COUNTERS, EPOCHS, Configurations, Registry
from leda.engine.shards import Shard, padded
from leda.pipeline.messages import Message
from leda.pipeline.state_store import StateStore
from leda.pipeline.statement_guess import Request
from leda.streams.stream_records import StreamRecord
from leda.values.limits import Limits
from support.pipeline import CONFIGURATION
from support.random_requests import KEYS, Operation

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026"
SHARDS = ["shardId-1", "shardId-2"]
_DEFINITION = Configuration.from_json(CONFIGURATION)
sequences = st.integers(1, 6)
nodes = st.sampled_from(["PV:a:EMEA", "PV:a:APAC", "PV:b:EMEA"])
amounts = st.sampled_from(["1", "-0.10", "123456789012.12345678901234567", "0"])
# Also amounts whose sum needs more than 38 digits.
any_amounts = st.one_of(amounts, amounts, st.sampled_from(["9" * 38, "1e-20"]))
shards = st.sampled_from(SHARDS).map(lambda name: Shard(STREAM, name))
lane_counts = st.sampled_from([1, 2, 4])


def _record(sequence: int, old: Any, new: Any) -> StreamRecord:
    name = "MODIFY" if old and new else "INSERT" if new else "REMOVE"
    return StreamRecord(sequence, str(sequence), name, old, new, False, None, {"dynamodb": {}})


def _state_row(path: str, value: str) -> dict[str, Any]:
    return {"Path": {"S": path}, "Value": {"N": value}, "Timestamp": {"N": "1616413258.90"}}


state_rows = st.one_of(st.none(), st.builds(_state_row, nodes, amounts))
state_records = st.builds(
    lambda first, rows: [_record(first + n, old, new) for n, (old, new) in enumerate(rows)],
    sequences,
    st.lists(st.tuples(state_rows, state_rows), min_size=1, max_size=3),
)


def _registry(store: Any) -> Registry:
    registry = Registry(store, "RegistryTable")
    # Otherwise the counter would begin at the clock, which differs for both stores.
    registry.put_if_absent(COUNTERS, EPOCHS, {"Last": {"N": "1"}})
    return registry


def _map(shard: Shard, records: Sequence[StreamRecord], count: int) -> Operation:
    def call(store: Any, _: StateStore) -> Any:
        assignments = SourceShards(_registry(store), _DEFINITION, count)
        rows = MapRows(
            store, "ReduceTable", Limits(), assignments, 3600, lambda *_: None, threads=1
        )
        outcome = rows.write(shard, records)
        return outcome.rows, outcome.duplicates

    return Operation(f"map {shard.id} {records} {count}", call)


def _delta_row(path: str, value: str, count: int) -> dict[str, Any]:
    lane = Lane(_DEFINITION.version, count, lane_number(path, count))
    return item(lane, "source", padded(1), _DEFINITION.names, {path: ("1", value)}, 1)


delta_records = st.builds(
    lambda first, rows: [_record(first + number, None, row) for number, row in enumerate(rows)],
    sequences,
    st.lists(st.builds(_delta_row, nodes, any_amounts, lane_counts), min_size=1, max_size=4),
)


def _reduce(shard: Shard, records: Sequence[StreamRecord]) -> Operation:
    def call(store: Any, _: StateStore) -> Any:
        description = {"StreamDescription": {"Shards": [{"ShardId": name} for name in SHARDS]}}
        streams: Any = SimpleNamespace(describe_stream=lambda **_request: description)
        rejected: list[str] = []
        registry = _registry(store)
        totals = Totals(
            store,
            "AggregateTable",
            Epochs(registry, streams),
            Configurations(registry),
            lambda _shard, reject: rejected.append(str(reject.node)),
            threads=1,
        )
        outcome = totals.apply(shard, records)
        return outcome.written, outcome.duplicates, tuple(rejected)

    return Operation(f"reduce {shard.id} {records}", call)


messages = st.builds(
    lambda name, version, value, deleted: Message(
        name,
        version,
        None if deleted else Decimal(value),
        None if deleted else "PV:a:EMEA",
        None if deleted else "{}",
        Decimal("1616413258.8997078"),
    ),
    st.sampled_from(KEYS),
    st.integers(0, 3),
    amounts,
    st.booleans(),
)


def _store(batch: Sequence[Message]) -> Operation:
    def call(_: Any, store: StateStore) -> Any:
        found = [(stored.message.id, stored.result.name) for stored in store.write(batch)]
        return tuple(sorted(found))

    return Operation(f"store {batch}", call)


def _statements(batch: Sequence[tuple[Message, Request]]) -> Operation:
    """Statements as StateStore writes them, also in batches that it never makes."""

    def call(client: Any, store: StateStore) -> Any:
        made = [store._statement(*each) for each in batch]
        return client.batch_execute_statement(Statements=made)

    return Operation(f"statements {batch}", call)


distinct_messages = st.lists(messages, min_size=1, max_size=3, unique_by=lambda it: it.id)
calls = st.one_of(
    st.builds(_map, shards, state_records, lane_counts),
    st.builds(_reduce, shards, delta_records),
    st.builds(_reduce, shards, delta_records),
    st.builds(_store, distinct_messages),
    st.builds(
        _statements,
        st.one_of(
            distinct_messages.map(
                lambda found: [
                    (each, Request.INSERT if each.version < 2 else Request.UPDATE) for each in found
                ]
            ),
            st.lists(
                st.tuples(messages, st.sampled_from([Request.INSERT, Request.UPDATE])),
                min_size=1,
                max_size=4,
            ),
        ),
    ),
)
"""Calls of LEDA's functions."""
