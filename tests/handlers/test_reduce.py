"""ReduceLambda over DynamoDB Local: totals, foreign rows of either table, limits."""

from decimal import Decimal
from typing import Any

import pytest

from support.faults import Faults, FaultyClient
from support.pipeline import Pipeline, event


def put_delta(pipeline: Pipeline, number: int, totals: dict[str, Any]) -> None:
    """Write a row of ReduceTable as Map does."""
    put_row(pipeline, number, {"M": {path: {"N": str(value)} for path, value in totals.items()}})


def put_row(pipeline: Pipeline, number: int, totals: Any) -> None:
    """Write a row of ReduceTable with anything for its Totals."""
    item = {"Lane": {"N": "0"}, "Delta": {"S": f"shard#{number:056d}#00"}, "Totals": totals}
    pipeline.dynamodb.put_item(TableName=pipeline.prefix + "ReduceTable", Item=item)


def put_total(pipeline: Pipeline, path: str, value: Any) -> None:
    item = {"Identifier": {"S": path}, "Value": value}
    pipeline.dynamodb.put_item(TableName=pipeline.prefix + "AggregateTable", Item=item)


def reduce(pipeline: Pipeline, **more: Any) -> None:
    answer = pipeline.function("reduce", **more)(event(pipeline.stream_records("ReduceTable")))
    assert answer == {"state": {}}


def values(pipeline: Pipeline) -> dict[str, Any]:
    return {
        row["Identifier"]["S"]: Decimal(row["Value"]["N"]) if "N" in row["Value"] else row["Value"]
        for row in pipeline.rows("AggregateTable")
    }


def checkpoint(pipeline: Pipeline) -> int:
    (row,) = pipeline.rows("CheckpointTable")
    return int(row["Sequence"]["S"])


def last(pipeline: Pipeline) -> int:
    return int(pipeline.stream_records("ReduceTable")[-1]["dynamodb"]["SequenceNumber"])


def test_delta_rows_are_added_and_each_total_is_written_once_a_transaction(
    pipeline: Pipeline,
) -> None:
    for number in range(30):
        put_delta(pipeline, number, {"PV": "0.1", f"PV:{number}": 1})
    faults = Faults()

    reduce(pipeline, client_wrapper=lambda client: FaultyClient(client, faults))

    assert values(pipeline) == {"PV": 3} | {f"PV:{number}": 1 for number in range(30)}
    assert faults.log.count("transact_write_items") == 1


def test_more_totals_than_a_transaction_has_room_for_take_several(pipeline: Pipeline) -> None:
    for number in range(5):
        put_delta(pipeline, number, {f"{number}:{leaf}": 1 for leaf in range(98)})

    reduce(pipeline)

    assert values(pipeline) == {f"{number}:{leaf}": 1 for number in range(5) for leaf in range(98)}
    assert checkpoint(pipeline) == last(pipeline)


def test_a_total_that_is_a_string_blocks_only_the_delta_rows_that_touch_it(
    pipeline: Pipeline,
) -> None:
    put_total(pipeline, "PV:broken", {"S": "n/a"})
    for number in range(20):
        leaf = "broken" if number in (3, 11, 12) else "fine"
        put_delta(pipeline, number, {"PV": 1, f"PV:{leaf}": 1})

    reduce(pipeline)

    assert values(pipeline) == {"PV": 17, "PV:fine": 17, "PV:broken": {"S": "n/a"}}
    assert checkpoint(pipeline) == last(pipeline)
    records = pipeline.stream_records("ReduceTable")
    assert {kept["sequenceNumber"] for kept in pipeline.bucket.objects.values()} == {
        records[number]["dynamodb"]["SequenceNumber"] for number in (3, 11, 12)
    }
    assert all("DynamoDB refuses" in reason for reason in pipeline.bucket.reasons)
    # Again, cold and under another shape: nothing changes.
    reduce(pipeline)
    assert values(pipeline)["PV"] == 17
    assert len(pipeline.bucket.objects) == 3


FOREIGN = {
    "a string": {"S": "x"},
    "no number in it": {"M": {"PV": {"S": "1"}}},
    "99 paths": {"M": {f"p{number}": {"N": "1"} for number in range(99)}},
    "a path that is no key": {"M": {"x" * 2049: {"N": "1"}}},
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_delta_row_that_map_did_not_write_is_kept_aside_and_blocks_nothing(
    pipeline: Pipeline, content: dict[str, Any]
) -> None:
    put_delta(pipeline, 1, {"PV": 1})
    put_row(pipeline, 2, content)
    put_delta(pipeline, 3, {"PV": 2})

    reduce(pipeline)

    assert values(pipeline) == {"PV": 3}
    assert len(pipeline.bucket.objects) == 1
    assert checkpoint(pipeline) == last(pipeline)


def test_a_delta_that_the_total_has_no_digits_for_is_kept_aside_and_nothing_is_rounded(
    pipeline: Pipeline,
) -> None:
    put_delta(pipeline, 1, {"A": "1E+30", "B": 1})
    put_delta(pipeline, 2, {"A": "1E-10", "B": 1})
    put_delta(pipeline, 3, {"A": 1, "B": 1})

    reduce(pipeline)

    assert values(pipeline) == {"A": 10**30 + 1, "B": 2}
    assert len(pipeline.bucket.objects) == 1


def test_changed_and_removed_delta_rows_are_passed_over(pipeline: Pipeline) -> None:
    put_delta(pipeline, 1, {"A": 1})
    put_delta(pipeline, 1, {"A": 7})
    key = {"Lane": {"N": "0"}, "Delta": {"S": f"shard#{1:056d}#00"}}
    pipeline.dynamodb.delete_item(TableName=pipeline.prefix + "ReduceTable", Key=key)

    reduce(pipeline)

    assert values(pipeline) == {"A": 1}
    assert pipeline.bucket.objects == {}
    assert checkpoint(pipeline) == last(pipeline)


def test_a_total_that_was_there_before_is_added_to(pipeline: Pipeline) -> None:
    put_total(pipeline, "A", {"N": "10"})
    put_delta(pipeline, 1, {"A": "-0.5"})

    reduce(pipeline)

    assert values(pipeline) == {"A": Decimal("9.5")}
