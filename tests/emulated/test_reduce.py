"""ReduceLambda over DynamoDB Local: totals with their checkpoints, malformed rows, and the limits of numbers."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda.engine.reduce.reduce_batch import CheckpointBatch, PendingTotal
from leda.engine.reduce.statement_errors import StatementErrors, TotalsError
from leda.engine.registry import Registry
from support.lambda_events import event
from support.pipeline import Pipeline

VERSION = "0123abcd"
LANE = f"{VERSION}.1.0"


def put_delta(
    pipeline: Pipeline, number: int, totals: Mapping[str, Any], lane: str = LANE, **more: Any
) -> None:
    """Replace a row of ReduceTable as Map does; `totals` gives each total's Value, and its Count is 1."""
    entries = {node: {"L": [{"N": "1"}, {"N": str(value)}]} for node, value in totals.items()}
    put_row(pipeline, number, {"Totals": {"M": entries}} | more, lane)


def put_row(
    pipeline: Pipeline, number: int, attributes: Mapping[str, Any], lane: str = LANE
) -> None:
    """Write a row of ReduceTable with any attributes."""
    item = {
        "Lane": {"S": lane},
        "Source": {"S": "label/shard"},
        "Sequence": {"S": f"{number:040d}"},
        "Measures": {"L": [{"S": "Count"}, {"S": "Value"}]},
        **attributes,
    }
    pipeline.dynamodb.put_item(TableName=pipeline.prefix + "ReduceTable", Item=item)


def put_total(pipeline: Pipeline, node: str, **attributes: Any) -> None:
    item = {"Identifier": {"S": node}, **attributes}
    pipeline.dynamodb.put_item(TableName=pipeline.prefix + "AggregateTable", Item=item)


def batch_of(pipeline: Pipeline, records: Sequence[Any] | None = None) -> dict[str, Any]:
    found = pipeline.stream_records("ReduceTable") if records is None else records
    return event(found, pipeline.shard("ReduceTable"))


def reduce(pipeline: Pipeline, **more: Any) -> None:
    assert pipeline.function("reduce", **more)(batch_of(pipeline)) == {"state": {}}


def values(pipeline: Pipeline, measure: str = "Value") -> dict[str, Any]:
    return {
        row["Identifier"]["S"]: (
            Decimal(row[measure]["N"]) if "N" in row.get(measure, {}) else row.get(measure)
        )
        for row in pipeline.rows("AggregateTable")
    }


def checkpoints(pipeline: Pipeline, attribute: str = f"Applied{VERSION}_1") -> dict[str, str]:
    return {
        row["Identifier"]["S"]: row[attribute]["S"]
        for row in pipeline.rows("AggregateTable")
        if attribute in row
    }


def sequence(record: Mapping[str, Any]) -> str:
    return f"{int(record['dynamodb']['SequenceNumber']):040d}"


def test_rows_are_added_to_the_totals_with_their_checkpoints(pipeline: Pipeline) -> None:
    for number in range(30):
        put_delta(pipeline, number, {"PV": "0.1", f"PV:{number}": 1})
    records = pipeline.stream_records("ReduceTable")
    reduce(pipeline)
    for number in range(30):
        put_delta(pipeline, 30 + number, {"PV": "0.1", f"PV:{number}": 1})

    reduce(pipeline)

    assert values(pipeline) == {"PV": 6} | {f"PV:{number}": 2 for number in range(30)}
    assert values(pipeline, "Count") == {"PV": 60} | {f"PV:{number}": 2 for number in range(30)}
    places = {node: place[11:] for node, place in checkpoints(pipeline).items()}
    newer = pipeline.stream_records("ReduceTable")[len(records) :]
    assert places == {"PV": sequence(newer[-1])} | {
        f"PV:{number}": sequence(newer[number]) for number in range(30)
    }


def test_an_existing_total_takes_one_statement_a_batch(pipeline: Pipeline) -> None:
    put_delta(pipeline, 1, {f"{number}": 1 for number in range(60)})
    reduce(pipeline)
    for number in range(2, 6):
        put_delta(pipeline, number, {f"{number}": 1 for number in range(60)})
    function, faults = pipeline.faulty("reduce")

    function(batch_of(pipeline, pipeline.stream_records("ReduceTable")[1:]))

    assert faults.log.count("batch_execute_statement") == 3  # 25 statements a request
    assert set(values(pipeline).values()) == {5}


def test_rows_for_a_total_whose_value_is_a_string_are_quarantined_one_by_one(
    pipeline: Pipeline,
) -> None:
    put_total(pipeline, "PV:broken", Value={"S": "n/a"}, Count={"N": "0"})
    for number in range(20):
        leaf = "broken" if number in (3, 11, 12) else "fine"
        put_delta(pipeline, number, {"PV": 1, f"PV:{leaf}": 1})

    reduce(pipeline)

    assert values(pipeline) == {"PV": 20, "PV:fine": 17, "PV:broken": {"S": "n/a"}}
    records = pipeline.stream_records("ReduceTable")
    assert {kept["sequenceNumber"] for kept in pipeline.bucket.objects.values()} == {
        records[number]["dynamodb"]["SequenceNumber"] for number in (3, 11, 12)
    }
    assert all("PV:broken" in reason for reason in pipeline.bucket.reasons)
    assert checkpoints(pipeline)["PV:broken"][11:] == sequence(records[12])
    # Again, with a cold environment: the checkpoint covers the quarantined rows.
    reduce(pipeline)
    assert values(pipeline)["PV"] == 20
    assert len(pipeline.bucket.objects) == 3


ENTRIES = {"M": {"PV": {"L": [{"N": "1"}, {"N": "1"}]}}}
MALFORMED: dict[str, dict[str, Any]] = {
    "Totals is a string": {"Totals": {"S": "x"}},
    "a number instead of a list": {"Totals": {"M": {"PV": {"N": "1"}}}},
    "a string in the list": {"Totals": {"M": {"PV": {"L": [{"N": "1"}, {"S": "1"}]}}}},
    "one number for two measures": {"Totals": {"M": {"PV": {"L": [{"N": "1"}]}}}},
    "a node that is too long for a key": {"Totals": {"M": {"x" * 2049: ENTRIES["M"]["PV"]}}},
    "a node of too many bytes in UTF-8": {"Totals": {"M": {"é" * 1500: ENTRIES["M"]["PV"]}}},
    "no measures": {"Totals": {"M": {"PV": {"L": []}}}, "Measures": {"L": []}},
    "a measure with a quotation mark": {
        "Totals": ENTRIES,
        "Measures": {"L": [{"S": "Count"}, {"S": 'Value" = 1 --'}]},
    },
    "a measure that is the key": {
        "Totals": ENTRIES,
        "Measures": {"L": [{"S": "Count"}, {"S": "Identifier"}]},
    },
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_row_is_quarantined_and_the_others_are_added(
    pipeline: Pipeline, content: dict[str, Any]
) -> None:
    put_delta(pipeline, 1, {"PV": 1})
    put_row(pipeline, 2, content)
    put_delta(pipeline, 3, {"PV": 2})

    reduce(pipeline)

    assert values(pipeline) == {"PV": 3}
    assert len(pipeline.bucket.objects) == 1


@pytest.mark.parametrize(
    "lane", ["0", "1.0", "0123abcd.1", "0123abcd.1.1", "0123abcd.x.0", '0"23abcd.1.0']
)
def test_a_row_with_an_invalid_lane_is_quarantined(pipeline: Pipeline, lane: str) -> None:
    put_delta(pipeline, 1, {"PV": 1}, lane)

    reduce(pipeline)

    assert pipeline.rows("AggregateTable") == []
    assert "Lane" in pipeline.bucket.reasons[0]


def test_a_row_whose_addition_needs_more_than_38_digits_is_quarantined(pipeline: Pipeline) -> None:
    put_delta(pipeline, 1, {"A": "1E+30", "B": 1})
    put_delta(pipeline, 2, {"A": "1E-10", "B": 1})
    put_delta(pipeline, 3, {"A": 1, "B": 1})

    reduce(pipeline)

    assert values(pipeline) == {"A": 10**30 + 1, "B": 3}
    assert len(pipeline.bucket.objects) == 1
    assert checkpoints(pipeline)["A"] == checkpoints(pipeline)["B"]


def test_rows_without_a_common_sum_of_38_digits_are_added_one_by_one(pipeline: Pipeline) -> None:
    put_delta(pipeline, 1, {"A": "1E+30"})
    put_delta(pipeline, 2, {"A": "-1E+30"})
    put_delta(pipeline, 3, {"A": "1E-10"})

    reduce(pipeline)

    assert values(pipeline) == {"A": Decimal("1E-10")}
    assert pipeline.bucket.objects == {}


def test_a_total_without_a_measure_gets_it(pipeline: Pipeline) -> None:
    """Totals of the first engine have no Count, and a Value may have been removed by hand."""
    put_total(pipeline, "A", Value={"N": "10"})
    put_total(pipeline, "B", Count={"N": "5"})
    put_delta(pipeline, 1, {"A": "-0.5", "B": 7})

    reduce(pipeline)

    assert values(pipeline) == {"A": Decimal("9.5"), "B": 7}
    assert values(pipeline, "Count") == {"A": 1, "B": 6}
    assert pipeline.bucket.objects == {}


def test_a_measure_that_another_delivery_adds_meanwhile_is_kept(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other delivery comes between the refused statement and the read of the total."""
    real = StatementErrors._add_missing_measures
    looks = []

    def completed(
        self: StatementErrors, batch: CheckpointBatch, each: PendingTotal, first: str
    ) -> bool:
        put_total(pipeline, each.node, Count={"N": "5"}, Value={"N": "10"})
        looks.append(each.node)
        return real(self, batch, each, first)

    monkeypatch.setattr(StatementErrors, "_add_missing_measures", completed)
    put_total(pipeline, "A", Value={"N": "10"})
    put_delta(pipeline, 1, {"A": "-0.5"})

    reduce(pipeline)

    assert looks == ["A"]
    assert values(pipeline) == {"A": Decimal("9.5")}
    assert values(pipeline, "Count") == {"A": 6}
    assert pipeline.bucket.objects == {}


def test_a_covered_row_does_not_restore_a_removed_measure(pipeline: Pipeline) -> None:
    """A backfill removes the measures of the former configuration, whose rows may be delivered again."""
    put_delta(pipeline, 1, {"A": 7})
    reduce(pipeline)
    (row,) = pipeline.rows("AggregateTable")
    del row["Value"]
    pipeline.dynamodb.put_item(TableName=pipeline.prefix + "AggregateTable", Item=row)

    reduce(pipeline)

    assert pipeline.rows("AggregateTable") == [row]


def test_a_replaced_row_is_added_and_an_expired_row_is_not_subtracted(pipeline: Pipeline) -> None:
    put_delta(pipeline, 1, {"A": 1})
    put_delta(pipeline, 2, {"A": 7})
    key = {"Lane": {"S": LANE}, "Source": {"S": "label/shard"}}
    pipeline.dynamodb.delete_item(TableName=pipeline.prefix + "ReduceTable", Key=key)

    reduce(pipeline)

    assert values(pipeline) == {"A": 8}
    assert pipeline.bucket.objects == {}


def test_a_new_total_of_a_grouping_has_its_labels(pipeline: Pipeline) -> None:
    group_by = {
        "desk": {"keys": ["risk", "at:hour as hour"], "rollup": True},
        "days": {"keys": ["day"]},
        "hours": {"keys": ["at:hour"], "retention_days": 1},
    }
    measures = {"Count": {"op": "count"}, "Value": {"op": "sum", "field": "v"}}
    known = Configuration.from_json(json.dumps({"group_by": group_by, "measures": measures}))
    registry = Registry(pipeline.dynamodb, pipeline.prefix + "RegistryTable")
    registry.put("configurations", known.version, {"Document": {"S": known.document}})
    nodes = ("desk:FX", "desk:FX:2026-08-01T13", "days:%", "made by hand", "hours:1970-01-01T00")
    put_delta(pipeline, 1, dict.fromkeys(nodes, 1), f"{known.version}.1.0")
    put_delta(pipeline, 2, {"days:%": 2, "desk:FX": 2}, f"{known.version}.1.0")

    reduce(pipeline)

    found = {
        row["Identifier"]["S"]: tuple(
            row.get(name) for name in ("Grouping", "Parent", "Keys", "ExpiresAt")
        )
        for row in pipeline.rows("AggregateTable")
    }
    fx, hour = {"risk": {"S": "FX"}}, {"hour": {"S": "2026-08-01T13"}}
    assert found == {
        "desk:FX": ({"S": "desk"}, {"S": "desk"}, {"M": fx}, None),
        "desk:FX:2026-08-01T13": ({"S": "desk"}, {"S": "desk:FX"}, {"M": fx | hour}, None),
        "days:%": ({"S": "days"}, {"S": "days"}, {"M": {"day": {"S": ""}}}, None),
        "made by hand": (None, None, None, None),
        "hours:1970-01-01T00": (
            {"S": "hours"},
            {"S": "hours"},
            {"M": {"at": {"S": "1970-01-01T00"}}},
            {"N": str(25 * 3600)},
        ),
    }
    assert values(pipeline)["days:%"] == 3
    # No grouping of the configuration has this total, so its rows can only subtract, and the total begins with 0.
    assert values(pipeline)["made by hand"] == 0
    assert values(pipeline, "Count")["made by hand"] == 0


# -- shards of ReduceTable's stream


def test_a_test_event_of_the_lambda_console_hides_no_record_of_the_stream(
    pipeline: Pipeline,
) -> None:
    put_delta(pipeline, 1, {"A": 1})
    put_delta(pipeline, 2, {"A": 10})
    first, second = pipeline.stream_records("ReduceTable")
    function = pipeline.function("reduce")
    function(batch_of(pipeline, [first]))
    made_up = {**first, "dynamodb": {**first["dynamodb"], "SequenceNumber": "111"}}
    for _ in range(2):
        function(event([made_up]))

    function(batch_of(pipeline, [first, second]))

    assert values(pipeline) == {"A": 12}
    assert set(checkpoints(pipeline, f"Applied{VERSION}_1m")) == {"A"}


# -- checkpoints


def test_a_damaged_checkpoint_fails_the_batch_with_an_error_that_names_leda_rebuild(
    pipeline: Pipeline,
) -> None:
    put_total(
        pipeline, "A", Value={"N": "1"}, Count={"N": "1"}, **{f"Applied{VERSION}_1": {"N": "9"}}
    )
    put_delta(pipeline, 1, {"A": 1})

    with pytest.raises(TotalsError, match="leda rebuild"):
        reduce(pipeline)
