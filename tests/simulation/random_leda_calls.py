"""Random calls of LEDA's own code that writes to DynamoDB: checkpoints, Map, Reduce, State's statements."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from leda.checkpoints import Checkpoints, Position
from leda.lanes import Lane
from leda.map_stage import MapStage
from leda.messages import Message
from leda.reduce_stage import ReduceStage
from leda.schema import Schema
from leda.state_store import StateStore
from leda.statement_guess import Request
from leda.streams import StreamRecord
from simulation.random_requests import KEYS, Operation

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026"
SHARDS = ["shardId-1", "shardId-2"]
lanes = st.sampled_from([*SHARDS, STREAM]).map(lambda name: Lane(STREAM, name))
sequences = st.integers(1, 6)
maybe_sequences = st.one_of(st.none(), sequences)
positions = st.builds(
    Position,
    maybe_sequences,
    maybe_sequences,
    st.one_of(st.none(), st.integers(1, 2)),
    st.one_of(st.none(), st.tuples(st.sampled_from(SHARDS), sequences)),
)
nodes = st.sampled_from(["PV:a:EMEA", "PV:a:APAC", "PV:b:EMEA"])
amounts = st.sampled_from(["1", "-0.10", "123456789012.12345678901234567", "0"])


def _record(sequence: int, old: Any, new: Any) -> StreamRecord:
    return StreamRecord(sequence, str(sequence), "INSERT", old, new, False, None, {})


def _state_row(path: str, value: str) -> dict[str, Any]:
    return {"Path": {"S": path}, "Value": {"N": value}, "Timestamp": {"N": "1616413258.90"}}


def _delta_row(path: str, value: str) -> dict[str, Any]:
    return {"Totals": {"M": {path: {"N": value}}}}


state_records = st.lists(
    st.builds(_record, sequences, st.none(), st.builds(_state_row, nodes, amounts)),
    min_size=1,
    max_size=3,
)
delta_records = st.lists(
    st.builds(_record, sequences, st.none(), st.builds(_delta_row, nodes, amounts)),
    min_size=1,
    max_size=3,
)
map_stage = MapStage("ReduceTable", Schema(), 1, 3600, clock=lambda: 1616413258.0)
reduce_stage = ReduceStage("AggregateTable")


def _advance(lane: Lane, position: Position | None, last: int, planned: Any) -> Operation:
    """The transaction of a Map or Reduce: from `position`, or (None) from where the lane is."""

    def call(store: Any, _: StateStore) -> Any:
        checkpoints = Checkpoints(store, "CheckpointTable", "MapLambda")
        start = position or checkpoints.read(lane)
        return store.transact_write_items(
            TransactItems=checkpoints.advance(lane, start, last) + planned(lane).actions
        )

    return Operation(f"advance {lane} {position} {last}", call)


def _read(lane: Lane) -> Operation:
    def call(store: Any, _: StateStore) -> Any:
        found = Checkpoints(store, "CheckpointTable", "MapLambda").read(lane)
        return found.own, found.stream, found.shards, found.highest

    return Operation(f"read {lane}", call)


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
    """Statements as StateStore writes them, also such as it never puts in one batch."""

    def call(client: Any, store: StateStore) -> Any:
        made = [store._statement(*each) for each in batch]
        return client.batch_execute_statement(Statements=made)

    return Operation(f"statements {batch}", call)


distinct_messages = st.lists(messages, min_size=1, max_size=3, unique_by=lambda it: it.id)
calls = st.one_of(
    st.builds(
        _advance,
        lanes,
        st.one_of(st.none(), positions),
        sequences,
        st.one_of(
            state_records.map(lambda found: lambda lane: map_stage.plan(lane, found)),
            delta_records.map(lambda found: lambda lane: reduce_stage.plan(lane, found)),
        ),
    ),
    st.builds(_read, lanes),
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
"""What LEDA's functions do to the tables."""
