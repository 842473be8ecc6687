"""The workshop's game: the messages of a burst, their totals, and the score of a round."""

import json
import random
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.pipeline import game
from leda.pipeline.messages import parse
from leda.pipeline.schema import Schema
from leda_cli.operate.totals import oracle

SEEDS = st.integers(min_value=0, max_value=2**32)
PERCENT = st.integers(min_value=0, max_value=100)


@st.composite
def rules(draw: st.DrawFn) -> game.Rules:
    a_call = draw(st.integers(min_value=1, max_value=50))
    return game.Rules(
        messages=draw(st.integers(min_value=0, max_value=300)),
        messages_per_call=a_call,
        duplicates_per_call=draw(st.integers(min_value=0, max_value=a_call - 1)),
        modify_percent=draw(PERCENT),
        stale_percent=draw(PERCENT),
        delete_percent=draw(PERCENT),
    )


def burst_of(given_rules: game.Rules, seed: int = 1, **settings: Any) -> game.Burst:
    return game.Burst(given_rules, random.Random(seed), **settings)


def read(record: game.Record) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(record.data, parse_float=Decimal)
    return message


@given(rules(), SEEDS, st.randoms(use_true_random=False))
def test_expected_totals_equal_the_oracle_over_the_messages_in_any_order(
    given_rules: game.Rules, seed: int, order: random.Random
) -> None:
    burst = burst_of(given_rules, seed)
    messages = [read(record) for call in burst.calls() for record in call]
    order.shuffle(messages)
    expected = {row: total for row, total in burst.expected().items() if total}
    found = {row: total.value for row, total in oracle.fold(messages).items()}
    assert expected == {row: value for row, value in found.items() if value}


@given(rules(), SEEDS)
def test_counts_describe_the_sent_messages(given_rules: game.Rules, seed: int) -> None:
    burst = burst_of(given_rules, seed)
    calls = list(burst.calls())
    sent = [record for call in calls for record in call]
    counts = burst.counts
    assert counts.messages == len(sent) == given_rules.messages
    assert all(len(call) == given_rules.messages_per_call for call in calls[:-1])
    assert counts.duplicates == sum(len(call) - len(set(call)) for call in calls)
    assert counts.new == len({read(record)["TradeID"] for record in sent})
    generated = counts.new + counts.newer + counts.older + counts.deleted
    assert generated + counts.duplicates == counts.messages


def test_a_plain_burst_has_250_calls_of_40_new_trades() -> None:
    burst = burst_of(game.PLAIN)
    calls = list(burst.calls())
    assert [len(call) for call in calls] == [40] * 250
    messages = [read(record) for call in calls for record in call]
    assert {message["Version"] for message in messages} == {0}
    assert len({message["TradeID"] for message in messages}) == 10_000


def test_a_hard_call_has_35_generated_messages_and_5_duplicates_of_them() -> None:
    burst = burst_of(game.HARD)
    for call in burst.calls():
        assert len(set(call[:35])) == 35
        assert len(call[35:]) == 5
        assert set(call[35:]) <= set(call[:35])
    # 3 % of 8,750, within five standard deviations.
    assert 180 <= burst.counts.newer + burst.counts.older <= 345


def test_each_version_of_a_trade_has_its_own_partition_key() -> None:
    burst = burst_of(game.Rules(messages=500, modify_percent=50))
    keys = {record.partition_key for call in burst.calls() for record in call}
    assert len(keys) == 500


def test_values_have_exactly_two_decimal_places() -> None:
    for call in burst_of(game.Rules(messages=500)).calls():
        for record in call:
            value = re.search(rb'"Value": ([^,]+),', record.data)
            assert value
            assert re.fullmatch(rb"\d+\.\d\d", value[1])
            assert 0 <= Decimal(value[1].decode()) <= 100_000


def test_a_message_has_the_workshops_fields() -> None:
    burst = burst_of(game.PLAIN, clock=lambda: 1616413258.8997078)
    message = read(next(burst.calls())[0])
    assert list(message) == ["TradeID", "Value", "Version", "Timestamp", "Hierarchy"]
    assert message["Timestamp"] == Decimal("1616413258.8997078")
    assert set(message["Hierarchy"]) == {"RiskType", "Region", "TradeDesk"}
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", message["TradeID"]
    )


@given(SEEDS)
def test_the_same_seed_gives_the_same_burst(seed: int) -> None:
    one = burst_of(replace(game.HARD, messages=120), seed, clock=lambda: 1.0)
    other = burst_of(replace(game.HARD, messages=120), seed, clock=lambda: 1.0)
    assert list(one.calls()) == list(other.calls())
    assert one.expected() == other.expected()


def test_partition_keys_depend_on_the_seed_and_not_on_the_time() -> None:
    keys = [
        [record.partition_key for call in burst.calls() for record in call]
        for burst in (
            burst_of(game.HARD, clock=lambda: 1.0),
            burst_of(game.HARD, clock=lambda: 2.0),
        )
    ]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    "schema",
    [
        Schema(),
        Schema(hierarchy=None),
        Schema(
            id="Meter", version="Reading", value="kWh", levels=("Area", "Region"), hierarchy="Where"
        ),
    ],
)
def test_every_message_is_valid_input_for_the_pipeline(schema: Schema) -> None:
    burst = burst_of(game.Rules(messages=200, modify_percent=30, delete_percent=30), schema=schema)
    leaves: dict[str, tuple[int, str | None, Decimal | None]] = {}
    for call in burst.calls():
        for record in call:
            message = parse(record.data, schema)
            if message.id not in leaves or leaves[message.id][0] < message.version:
                leaves[message.id] = (message.version, message.path, message.value)
    first: dict[str, Decimal] = {}
    for _, path, value in leaves.values():
        if path is not None and value is not None:
            top = path.partition(":")[0]
            first[top] = first.get(top, Decimal(0)) + value
    expected = burst.expected()
    assert {row: expected[row] for row in first} == first


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": -1},
        {"messages_per_call": 0},
        {"duplicates_per_call": 40},
        {"modify_percent": 101},
        {"stale_percent": -1},
    ],
)
def test_invalid_rules_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        game.Rules(**wrong)


TOTAL = "123456789012345678901.12345678901234567"
NEXT = "123456789012345678901.12345678901234568"


@pytest.mark.parametrize(
    ("before", "after", "expected", "differing"),
    [
        ({"PV": "5", "Gone": "0"}, {"PV": "5", "Zero": "0"}, {"Delta": "0.00"}, []),
        ({"PV": "100.10"}, {"PV": "100.30", "A": "1"}, {"PV": "0.20", "A": "1"}, []),
        ({"PV": "1"}, {"PV": "2"}, {}, [("PV", "0", "1")]),
        ({"PV": "1"}, {}, {}, [("PV", "0", "-1")]),
        ({}, {"PV": TOTAL}, {"PV": TOTAL}, []),
        ({}, {"PV": NEXT}, {"PV": TOTAL}, [("PV", TOTAL, NEXT)]),
    ],
    ids=["zeros", "added", "changed beside it", "lost", "38 digits", "the last of 38 digits"],
)
def test_differences_are_rows_that_did_not_change_by_the_expected_sum(
    before: dict[str, str],
    after: dict[str, str],
    expected: dict[str, str],
    differing: list[tuple[str, str, str]],
) -> None:
    def numbers(texts: dict[str, str]) -> dict[str, Decimal]:
        return {name: Decimal(text) for name, text in texts.items()}

    assert game.differences(numbers(before), numbers(after), numbers(expected)) == [
        game.Difference(name, Decimal(wanted), Decimal(found)) for name, wanted, found in differing
    ]
