"""AWS's rules of item sizes and capacity units, and the units that the pipeline's code takes."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from leda.pipeline.messages import Message, parse
from leda.pipeline.schema import Schema
from leda.pipeline.state_store import StateStore
from leda_cli.models.load_model import Settings, Workload, delta_rows, load
from leda_cli.models.measured import ServiceTimes
from leda_cli.models.metering import Meter
from leda_cli.models.pipeline_units import (
    Mix,
    Source,
    all_mixes,
    compare,
    leda_units,
    markdown,
    published_units,
    state_units_of_a_message,
)
from leda_cli.models.units import item_bytes, number_bytes, read_units, value_bytes, write_units


def text_item(size: int) -> dict[str, dict[str, str]]:
    return {"id": {"S": "x" * (size - 2)}}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 1),
        ("7", 2),
        ("42", 2),
        ("123", 3),
        ("-123", 3),
        ("1000", 2),  # zeros behind do not count
        ("0.0012", 2),  # nor those in front
        ("34624.51", 5),
        ("9" * 38, 20),
    ],
)
def test_a_number_takes_one_byte_for_two_digits_and_one_more(text: str, size: int) -> None:
    assert number_bytes(text) == size


def test_an_items_size_is_that_of_its_names_and_values() -> None:
    item: dict[str, dict[str, Any]] = {
        "id": {"S": "ä"},  # 2 + 2
        "Value": {"N": "12.5"},  # 5 + 3
        "Deleted": {"BOOL": False},  # 7 + 1
        "Path": {"NULL": True},  # 4 + 1
        "Totals": {
            "M": {"PV": {"N": "1"}, "Delta": {"N": "22"}}
        },  # 6 + 3 + (2 + 2 + 1) + (5 + 2 + 1)
        "Sums": {"L": [{"N": "1"}, {"N": "22"}]},  # 4 + 3 + (2 + 1) + (2 + 1)
    }
    assert item_bytes(item) == 4 + 8 + 8 + 5 + 22 + 13
    assert item_bytes(None) == 0


def test_a_type_without_a_known_size_is_refused() -> None:
    with pytest.raises(ValueError, match="type B"):
        value_bytes({"B": "AA=="})


@pytest.mark.parametrize(("size", "units"), [(10, 1), (1024, 1), (1025, 2), (2048, 2), (2049, 3)])
def test_a_write_takes_a_unit_for_each_started_kilobyte_and_two_in_a_transaction(
    size: int, units: int
) -> None:
    assert write_units(None, text_item(size)) == units
    assert write_units(None, text_item(size), transaction=True) == 2 * units


def test_an_update_is_charged_by_the_larger_of_both_items() -> None:
    assert write_units(text_item(3000), text_item(100)) == 3
    assert write_units(text_item(100), text_item(3000)) == 3


def test_a_failed_condition_is_charged_by_the_existing_item() -> None:
    assert write_units(text_item(1500)) == 2
    assert write_units(None) == 1
    assert write_units(None, transaction=True) == 2  # a ConditionCheck of a row that is not there


@pytest.mark.parametrize(("size", "units"), [(3500, 1), (4097, 2)])
def test_a_read_takes_a_unit_for_each_started_four_kilobytes(size: int, units: int) -> None:
    assert read_units(text_item(size)) == units


def message(identifier: str, version: int) -> Message:
    text = (
        f'{{"TradeID": "{identifier}", "Version": {version}, "Value": 1, "Hierarchy": '
        '{"RiskType": "PV", "TradeDesk": "FXSpot", "Region": "EMEA"}}'
    )
    return parse(text.encode(), Schema())


def test_the_meter_records_the_changes_of_a_table() -> None:
    meter = Meter({"StateTable": ("id",)}, frozenset({"StateTable"}))
    store = StateStore(meter, "StateTable", threads=1)  # type: ignore[arg-type]
    for version in (3, 5, 4):
        store.write([message("a", version)])
    versions = [
        (old and old["Version"]["N"], new and new["Version"]["N"])
        for old, new in meter.taken("StateTable")
    ]
    assert versions == [(None, "3"), ("3", "5")]
    assert meter.taken("StateTable") == []


def test_the_meter_charges_each_row_of_a_batch_of_reads() -> None:
    meter = Meter({"StateTable": ("id",)})
    meter.put_item(TableName="StateTable", Item={"id": {"S": "a"}, "text": {"S": "x" * 4097}})
    meter.forget()
    keys = [{"id": {"S": name}} for name in "ab"]
    meter.batch_get_item(RequestItems={"StateTable": {"Keys": keys, "ConsistentRead": True}})
    assert meter.reads["StateTable"] == 2 + 1
    assert meter.requests == {"BatchGetItem": 1}


def test_the_meter_charges_writes_by_the_larger_row_and_failed_conditions_too() -> None:
    meter = Meter({"T": ("id",)})

    def put(size: int, **condition: Any) -> None:
        meter.put_item(
            TableName="T", Item={**text_item(20), "text": {"S": "x" * size}}, **condition
        )

    put(3000)
    assert meter.writes["T"] == 3
    put(10)
    assert meter.writes["T"] == 3 + 3
    put(3000)
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        put(10, ConditionExpression="attribute_not_exists(id)")
    assert meter.writes["T"] == 3 + 3 + 3 + 3


def test_the_meter_charges_each_statement() -> None:
    meter = Meter({"T": ("id",)})
    text = 'UPDATE "T" SET "Value" = "Value" + ? SET "At" = ? WHERE "id" = ? AND ("At" IS MISSING OR "At" < ?)'

    def add(at: str) -> dict[str, Any]:
        given = [{"N": "1"}, {"S": at}, {"S": "a"}, {"S": at}]
        statement = {"Statement": text, "Parameters": given}
        (answer,) = meter.batch_execute_statement(Statements=[statement])["Responses"]
        error: dict[str, Any] = answer.get("Error", {})
        return error

    assert add("1")["Code"] == "ConditionalCheckFailed"
    meter.put_item(TableName="T", Item={"id": {"S": "a"}})
    assert add("1")["Code"] == "ValidationError"
    meter.put_item(TableName="T", Item={"id": {"S": "a"}, "Value": {"N": "5"}})
    meter.forget()
    assert not add("1")
    assert add("1")["Code"] == "ConditionalCheckFailed"
    assert not add("2")
    assert meter.writes["T"] == 3


def test_batches_of_one_new_trade_cost_as_computed_by_hand() -> None:
    ours = leda_units(Mix(0, 0, 1), messages=20)
    assert ours.per_unique("state") == 1
    # A row of three totals; each of them is a row.
    assert ours.per_unique("map") == 1
    assert ours.per_unique("reduce") == 3
    theirs = published_units(Mix(0, 0, 1), messages=20)
    assert [theirs.per_unique(stage) for stage in ("state", "map", "reduce")] == [1, 1, 3 * 2]
    assert theirs.reads_per_unique() == 0


def test_a_batch_of_a_thousand_takes_one_row_of_map_and_one_write_for_each_total() -> None:
    ours = leda_units(Mix(0, 0, 1000), messages=1000)
    # 18 totals fit a kilobyte.
    assert ours.per_unique("map") == pytest.approx(1 / 1000)
    assert ours.per_unique("reduce") == pytest.approx(18 / 1000)
    joined = leda_units(Mix(0, 0, 1000, rows=4), messages=4000)
    assert joined.per_unique("reduce") == pytest.approx(18 / 4000)


def test_the_models_units_of_map_and_reduce_equal_the_metered_ones() -> None:
    hierarchy = (10, 10, 9)
    touched = Workload(1, hierarchy=hierarchy).touched(1000)
    for lanes in (1, 4):
        ours = leda_units(Mix(0, 0, 1000, hierarchy=hierarchy, lanes=lanes), messages=1000)
        made = delta_rows(Workload(1, hierarchy=hierarchy), 1000, lanes)
        assert ours.writes["map"] == pytest.approx(made.write_units, rel=0.1)
        assert ours.writes["reduce"] == pytest.approx(touched, rel=0.03)


@pytest.mark.parametrize("mix", [mix for mix in all_mixes() if mix.batch <= 100], ids=str)
def test_no_mix_takes_more_writes_than_the_published_design(mix: Mix) -> None:
    (found,) = compare([mix])
    assert found.leda.per_unique() <= found.published.per_unique()


def test_a_duplicate_in_the_same_batch_costs_nothing() -> None:
    plain, copied = (leda_units(Mix(share, 0, 1000, near=True), 1000) for share in (0, 0.3))
    assert copied.unique < copied.messages
    assert copied.per_unique("state") == plain.per_unique("state") == 1


def test_a_duplicate_in_another_batch_costs_the_published_design_one_unit() -> None:
    found = published_units(Mix(0.3, 0, 1000), 2000)
    duplicates = found.messages - found.unique
    assert found.writes["state"] == found.unique + duplicates


def test_a_duplicate_in_another_execution_environment_costs_a_write() -> None:
    ours = leda_units(Mix(0.07, 0, 100, environments=8), 3000)
    duplicates = 1 / (1 - 0.07) - 1
    assert 1 + 0.7 * duplicates < ours.per_unique("state") < 1 + duplicates


def test_state_takes_one_write_unit_for_each_message_once_it_has_learned() -> None:
    found = state_units_of_a_message()
    assert found.pop("version 1 of a trade, not seen, as long as it is not expected") == (2, 1)
    assert found.pop("a duplicate, seen") == found.pop("an older version, seen") == (0, 1)
    assert {writes for writes, _ in found.values()} == {1}
    assert found["a duplicate, not seen"] == (1, 1)
    assert found["version 1 of a trade, not seen, once it is"] == (1, 0)


@pytest.mark.parametrize(
    ("duplicates", "modifications", "first_version", "environments"),
    [(0.07, 0, 0, 1), (0.07, 0.5, 0, 3), (0.07, 0.5, 7, 1), (0.3, 0.5, 1, 1), (0.3, 0.5, 0, 3)],
)
def test_state_takes_no_more_writes_than_the_published_design_for_any_first_version(
    duplicates: float, modifications: float, first_version: int, environments: int
) -> None:
    mix = Mix(
        duplicates, modifications, 1000, first_version=first_version, environments=environments
    )
    ours, theirs = leda_units(mix, 1000), published_units(mix, 1000)
    # What is new costs what it does; some of the duplicates cost less.
    assert 1 <= ours.per_unique("state") <= theirs.per_unique("state") + 0.001


@pytest.mark.parametrize("modifications", [0, 0.5])
def test_units_of_batches_of_a_thousand_with_7_percent_duplicates_stay_below_the_target(
    modifications: float,
) -> None:
    ours = leda_units(Mix(0.07, modifications, 1000), 3000)
    assert ours.per_unique() <= 1.08
    # A copy of what the environment has met costs a read and no write.
    assert ours.per_unique("state") == 1
    # Half a kilobyte is read for a unit; a few more looks tell what modifications find.
    assert 0.04 < ours.reads_per_unique() < 0.1
    assert ours.requests["state"] / ours.messages < 0.045


@pytest.mark.parametrize(
    ("near", "modifications", "hierarchy", "lanes"),
    [
        (True, 0.5, (2, 2, 3), 1),
        (False, 0.0, (2, 2, 3), 1),
        # What State takes is the same for every hierarchy.
        (False, 0.5, (10, 10, 9), 1),
        (False, 0.5, (10, 10, 9), 4),
    ],
)
def test_the_models_units_equal_those_that_the_code_takes(
    near: bool, modifications: float, hierarchy: tuple[int, ...], lanes: int
) -> None:
    workload = Workload(1000, modifications=modifications, near=near, hierarchy=hierarchy)
    settings = Settings(
        shard_count=2,
        map_batch_size=10_000,
        reduce_batch_size=10_000,
        map_window=3.75,
        reduce_window=0.75,
        reduce_lanes=lanes,
    )
    found = load(workload, settings, ServiceTimes())
    mix = Mix(
        workload.duplicates,
        modifications,
        round(found.map.batch),
        near,
        # Here one shard has the rows of all lanes.
        round(found.reduce.batch) * lanes,
        environments=found.state.lanes,
        hierarchy=hierarchy,
        lanes=lanes,
    )
    metered = leda_units(mix, messages=1000, seed=5)
    assert found.state.write_units / workload.unique_rate == pytest.approx(
        metered.per_unique("state"), rel=0.03
    )
    for stage, ours in (("map", found.map), ("reduce", found.reduce)):
        assert ours.write_units / workload.unique_rate == pytest.approx(
            metered.per_unique(stage), rel=0.1
        )


def test_a_mix_has_the_given_shares_of_duplicates_and_modifications() -> None:
    source = Source(Mix(0.3, 0.5, 1000), 7, Schema())
    batches = [source.batch() for _ in range(6)]
    sent = [each for batch in batches for each in batch]
    # The first batch has nothing before it to copy or to change.
    assert source.unique == pytest.approx(1000 + 5000 * 0.7, rel=0.03)
    assert len({each.id for each in sent}) == pytest.approx(1000 + 5000 * 0.35, rel=0.05)
    again = Source(Mix(0.3, 0.5, 1000), 7, Schema())
    assert [again.batch() for _ in range(6)] == batches


def test_the_report_has_a_row_for_each_mix() -> None:
    lines = markdown(list(compare([Mix(0, 0, 10), Mix(0.07, 0, 10, near=True)])))
    assert len(lines) == 4
    assert "7% in the same batch" in lines[-1]
