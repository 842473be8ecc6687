"""What cannot be read goes into quarantine whole, once, with where it came from; everything else is counted."""

import base64
import json
from typing import Any

from support import lambda_events
from support.live_aws import wait_for
from support.live_stack import LiveStack, Put
from support.live_trades import Trades


def _changed(trades: Trades, **changes: Any) -> bytes:
    """A message with fields replaced; `...` takes one out."""
    fields = {
        "TradeID": f"{trades.root}/bad",
        "Version": 1,
        "Value": 5,
        "Timestamp": 1616413258.5,
        "Hierarchy": {"RiskType": trades.root, "TradeDesk": "FXSpot", "Region": "EMEA"},
    } | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def bad_messages(trades: Trades) -> dict[bytes, str]:
    """Bad messages -> a part of the reason that must be given.

    Every other kind of bad message is in tests/pure/leda/pipeline/test_messages.py; these are odd on their way, too.
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


def test_every_bad_message_is_in_quarantine_once_and_every_good_one_is_counted(
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
        _assert_kept(stack, key, each, place)
        assert reasons[place.data] in each["reason"]

    _deliver_again_and_compare(stack, trades, kept)


def _assert_kept(stack: LiveStack, key: str, each: dict[str, Any], place: Put) -> None:
    data = base64.b64decode(each["data"], validate=True)
    assert data == place.data
    assert each["dataLength"] == len(place.data)
    assert each["function"] == "StateLambda"
    assert each["stream"].endswith(":stream/IncomingDataStream")
    assert each["shard"] == place.shard
    assert each["eventID"] == f"{place.shard}:{place.sequence_number}"
    assert each["reason"]
    year, month, day = each["arrived"][:10].split("-")
    assert key == f"StateLambda/{year}/{month}/{day}/{place.shard}_{place.sequence_number}.json"


def _deliver_again_and_compare(
    stack: LiveStack, trades: Trades, kept: dict[str, dict[str, Any]]
) -> None:
    """A redelivery writes the same objects under the same keys."""
    numbers = {each["sequenceNumber"] for each in kept.values()}
    before = stack.objects("StateLambda/")
    for shard, records in stack.records("state").items():
        again = [each for each in records if each["kinesis"]["sequenceNumber"] in numbers]
        for batch in lambda_events.cut(again, 20):
            stack.deliver_batch("state", shard, batch)
    after = stack.objects("StateLambda/")
    assert after.keys() == before.keys()
    for key, each in kept.items():
        assert after[key]["LastModified"] >= before[key]["LastModified"]
        assert stack.read_object(key) == each
    stack.assert_exact(trades)


def _rows(trades: Trades) -> dict[str, dict[str, Any]]:
    """Rows of StateTable that State never writes -> what is wrong with each (more in tests/emulated/test_map.py)."""
    version, path = {"N": "1"}, {"S": f"{trades.root}:FXSpot:EMEA"}
    return {
        "nothing at all": {},
        "no path": {"Version": version, "Value": {"N": "5"}},
        "value text": {"Version": version, "Path": path, "Value": {"S": "5"}},
        "value too large": {"Version": version, "Path": path, "Value": {"N": "1E+100"}},
    }


def test_rows_of_statetable_that_map_cannot_read_are_quarantined_and_the_rest_goes_on(
    stack: LiveStack, trades: Trades
) -> None:
    before = stack.objects("MapLambda/").keys()
    rows = _rows(trades)
    ids = {f"{trades.root}/garbage {name}": row for name, row in rows.items()}
    with stack.without_mapping("map"):
        # Off, so that good and bad rows meet in one batch.
        stack.put(trades.load(100, seed=4))
        for name, row in ids.items():
            stack.dynamodb.put_item(TableName="StateTable", Item={"id": {"S": name}, **row})
        stack.put(trades.load(100, seed=5))
    try:
        stack.settle(trades)
        kept = wait_for(
            "the garbage in quarantine",
            lambda: stack.quarantined("map", before),
            lambda kept: len(kept) >= len(rows),
        )
        found = {}
        for each in kept.values():
            record = json.loads(base64.b64decode(each["data"], validate=True))
            found[record["dynamodb"]["Keys"]["id"]["S"]] = record
            assert each["function"] == "MapLambda"
            assert each["stream"] == stack.stream_arn("state")
            assert each["sequenceNumber"] == record["dynamodb"]["SequenceNumber"]
            assert each["shard"]
            assert each["eventID"] == record["eventID"]
            assert each["reason"]
        assert found.keys() == ids.keys()
    finally:
        for name in ids:
            stack.dynamodb.delete_item(TableName="StateTable", Key={"id": {"S": name}})
    # What was never counted is not taken out.
    stack.catch_up(trades)
    assert len(stack.quarantined("map", before)) == len(rows)


def test_rows_of_reducetable_that_reduce_cannot_read_are_quarantined_and_the_rest_goes_on(
    stack: LiveStack, trades: Trades
) -> None:
    before = stack.objects("ReduceLambda/").keys()
    junk = f"{trades.root}-junk"
    lane, one = "0123abcd.1.0", {"N": "1"}

    def totals(node: str, *values: Any) -> dict[str, Any]:
        measures = {"L": [{"S": "Count"}, {"S": "Value"}]}
        return {"Measures": measures, "Totals": {"M": {node: {"L": list(values)}}}}

    # More of them are in tests/emulated/test_reduce.py.
    rows: dict[str, dict[str, Any]] = {
        "no totals": {},
        "value text": totals(f"{junk}:PV", one, {"S": "5"}),
        "a value too few": totals(f"{junk}:PV", one),
        "sum needs 39 digits": totals(trades.root, {"N": "0"}, {"N": "1E+40"}),
    }
    stack.put(trades.load(100, seed=6))
    stack.settle(trades)
    with stack.without_mapping("reduce"):
        stack.put(trades.load(100, seed=7))
        for name, row in rows.items():
            key = {"Lane": {"S": lane}, "Source": {"S": f"{junk} {name}"}}
            stack.dynamodb.put_item(TableName="ReduceTable", Item={**key, **row})
        stack.put(trades.load(100, seed=8))
    try:
        stack.settle(trades)
        kept = wait_for(
            "the garbage in quarantine",
            lambda: stack.quarantined("reduce", before),
            lambda kept: len(kept) >= len(rows),
        )
        found = set()
        for each in kept.values():
            record = json.loads(base64.b64decode(each["data"], validate=True))
            found.add(record["dynamodb"]["Keys"]["Source"]["S"])
            assert each["function"] == "ReduceLambda"
            assert each["stream"] == stack.stream_arn("reduce")
        assert found == {f"{junk} {name}" for name in rows}
        assert not stack.totals(junk), "a row is applied whole or not at all"
    finally:
        for name in rows:
            key = {"Lane": {"S": lane}, "Source": {"S": f"{junk} {name}"}}
            stack.dynamodb.delete_item(TableName="ReduceTable", Key=key)
    stack.catch_up(trades)
