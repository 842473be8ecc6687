"""Bad messages and rows are quarantined whole, once, with their place in the stream, and all others are counted."""

import base64
import json
from typing import Any

from support import lambda_events
from support.live_aws import wait_for
from support.live_stack import LiveStack
from support.live_trades import Trades

Key = dict[str, Any]
Row = dict[str, Any]


def _changed(trades: Trades, **changes: Any) -> bytes:
    """A message with these fields replaced; `...` removes one."""
    fields = {
        "TradeID": f"{trades.root}/bad",
        "Version": 1,
        "Value": 5,
        "Timestamp": 1616413258.5,
        "Hierarchy": {"RiskType": trades.root, "TradeDesk": "FXSpot", "Region": "EMEA"},
    } | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def bad_messages(trades: Trades) -> dict[bytes, str]:
    """Bad messages, each with a part of the reason that State must give.

    tests/pure/leda/pipeline/test_messages.py has every other kind; these are unusual for Kinesis and Lambda, too.
    """
    good = _changed(trades)
    return {
        b"": "empty",
        b"hello, world": "not JSON",
        good + good: "not JSON",
        b'{"TradeID": "\xff\xfe"}': "UTF-8",
        good.decode().encode("utf-16"): "UTF-8",
        b"null": "not a JSON object",
        b"[" * 100_000: "nested",
        _changed(trades, TradeID="\ud800"): "TradeID",
        _changed(trades, Value="VALUE").replace(b'"VALUE"', b"NaN"): "NaN",
        _changed(trades, Value=10**40): "Value",
        _changed(trades, Version=...): "Version",
        _changed(trades, Hierarchy={"RiskType": trades.root, "Note": "n" * 350_000}): "",
        bytes(2**20 - 64): "not JSON",
        _changed(trades, TradeID="x" * (2**20 - 1000)): "TradeID",
    }


def test_every_bad_message_is_quarantined_once_and_every_good_one_is_counted(
    stack: LiveStack, trades: Trades
) -> None:
    before = stack.objects("StateLambda/").keys()
    reasons = bad_messages(trades)
    mixed: list[bytes] = []
    for number, data in enumerate(reasons):
        mixed += [trades.message(f"good-{number}", value="0.25"), data]
    put = stack.put(mixed)

    stack.settle(trades)
    kept = wait_for(
        "all bad messages in quarantine",
        lambda: stack.quarantined("state", before),
        lambda kept: len(kept) >= len(reasons),
    )

    places = {each.sequence_number: each for each in put if each.data in reasons}
    assert sorted(each["sequenceNumber"] for each in kept.values()) == sorted(places)
    for key, each in kept.items():
        place = places[each["sequenceNumber"]]
        assert base64.b64decode(each["data"], validate=True) == place.data
        assert each["dataLength"] == len(place.data)
        assert each["function"] == "StateLambda"
        assert each["stream"].endswith(":stream/IncomingDataStream")
        assert each["shard"] == place.shard
        assert each["eventID"] == f"{place.shard}:{place.sequence_number}"
        assert reasons[place.data] in each["reason"]
        day = each["arrived"][:10].replace("-", "/")
        assert key == f"StateLambda/{day}/{place.shard}_{place.sequence_number}.json"

    # A redelivery writes the same objects under the same keys.
    objects = stack.objects("StateLambda/")
    for shard, records in stack.records("state").items():
        again = [each for each in records if each["kinesis"]["sequenceNumber"] in places]
        for batch in lambda_events.batches_of(again, 20):
            stack.deliver_batch("state", shard, batch)
    assert stack.objects("StateLambda/").keys() == objects.keys()
    assert {key: stack.read_object(key) for key in kept} == kept
    stack.assert_exact(trades)


def _assert_quarantined(
    stack: LiveStack, trades: Trades, part: str, table: str, rows: list[tuple[Key, Row]]
) -> None:
    """Put rows that the function cannot read between good ones; it must quarantine them and count the others."""
    before = stack.objects(f"{stack.function(part)}/").keys()
    stack.put(trades.load(100, seed=4))
    stack.settle(trades)
    try:
        with stack.without_mapping(part):  # off, so that good and bad rows are in one batch
            stack.put(trades.load(100, seed=5))
            for key, row in rows:
                stack.dynamodb.put_item(TableName=table, Item={**key, **row})
            stack.put(trades.load(100, seed=6))
        stack.settle(trades)
        kept = wait_for(
            f"the bad rows of {table} in quarantine",
            lambda: stack.quarantined(part, before),
            lambda kept: len(kept) >= len(rows),
        )
        found = []
        for each in kept.values():
            record = json.loads(base64.b64decode(each["data"], validate=True))
            found.append(record["dynamodb"]["Keys"])
            assert each["function"] == stack.function(part)
            assert each["stream"] == stack.stream_arn("state" if part == "map" else "reduce")
            assert each["sequenceNumber"] == record["dynamodb"]["SequenceNumber"]
            # Reduce appends a hash of the total to which a record cannot be added.
            assert each["eventID"].startswith(record["eventID"])
            assert each["shard"]
            assert each["reason"]
        assert sorted(found, key=str) == sorted((key for key, _ in rows), key=str)
    finally:
        for key, _ in rows:
            stack.dynamodb.delete_item(TableName=table, Key=key)
    # A row that was not counted is not subtracted when it is deleted.
    stack.catch_up(trades)
    assert len(stack.quarantined(part, before)) == len(rows)


def test_rows_of_statetable_that_map_cannot_read_are_quarantined(
    stack: LiveStack, trades: Trades
) -> None:
    """tests/emulated/test_map.py has more of such rows."""
    version, path = {"N": "1"}, {"S": f"{trades.root}:FXSpot:EMEA"}
    rows: list[Row] = [
        {},
        {"Version": version, "Value": {"N": "5"}},
        {"Version": version, "Path": path, "Value": {"S": "5"}},
        {"Version": version, "Path": path, "Value": {"N": "1E+100"}},
    ]
    named = [({"id": {"S": f"{trades.root}/bad-{place}"}}, row) for place, row in enumerate(rows)]
    _assert_quarantined(stack, trades, "map", "StateTable", named)


def test_rows_of_reducetable_that_reduce_cannot_read_are_quarantined(
    stack: LiveStack, trades: Trades
) -> None:
    """tests/emulated/test_reduce.py has more of such rows."""
    bad = f"{trades.root}-bad"

    def totals(node: str, *values: Any) -> Row:
        measures = {"L": [{"S": "Count"}, {"S": "Value"}]}
        return {"Measures": measures, "Totals": {"M": {node: {"L": list(values)}}}}

    rows = [
        {},
        totals(f"{bad}:PV", {"N": "1"}, {"S": "5"}),
        totals(f"{bad}:PV", {"N": "1"}),
        # The total would need 39 digits.
        totals(trades.root, {"N": "0"}, {"N": "1E+40"}),
    ]
    lane = {"Lane": {"S": "0123abcd.1.0"}}
    named = [({**lane, "Source": {"S": f"{bad}-{place}"}}, row) for place, row in enumerate(rows)]
    _assert_quarantined(stack, trades, "reduce", "ReduceTable", named)
    assert not stack.totals(bad), "a row is applied whole or not at all"
