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


def _with_value(trades: Trades, text: str) -> bytes:
    return _changed(trades, Value="VALUE").replace(b'"VALUE"', text.encode())


def _with_level(trades: Trades, **levels: Any) -> bytes:
    place = {"RiskType": trades.root, "TradeDesk": "FXSpot", "Region": "EMEA"} | levels
    return _changed(
        trades, Hierarchy={name: value for name, value in place.items() if value is not ...}
    )


def bad_messages(trades: Trades) -> dict[str, tuple[bytes, str]]:
    """What is wrong -> (the bytes, a part of the reason that must be given)."""
    good = _changed(trades)
    return {
        "empty": (b"", "empty"),
        "blank": (b"   \n", "not JSON"),
        "text": (b"hello, world", "not JSON"),
        "cut off": (good[:-10], "not JSON"),
        "two objects": (good + good, "not JSON"),
        "not UTF-8": (b'{"TradeID": "\xff\xfe"}', "UTF-8"),
        "UTF-16": (good.decode().encode("utf-16"), "UTF-8"),
        "a number": (b"42", ""),
        "null": (b"null", ""),
        "an array": (b"[" + good + b"]", ""),
        "deep": (b"[" * 100_000, "nested"),
        "no id": (_changed(trades, TradeID=...), "TradeID"),
        "id null": (_changed(trades, TradeID=None), "TradeID"),
        "id empty": (_changed(trades, TradeID=""), "TradeID"),
        "id number": (_changed(trades, TradeID=7), "TradeID"),
        "id too long": (_changed(trades, TradeID="x" * 2049), "TradeID"),
        "id surrogate": (_changed(trades, TradeID="\ud800"), "TradeID"),
        "no version": (_changed(trades, Version=...), "Version"),
        "version text": (_changed(trades, Version="1"), "Version"),
        "version bool": (_changed(trades, Version=True), "Version"),
        "version half": (_changed(trades, Version=1.5), "Version"),
        "version huge": (_changed(trades, Version=10**38), "Version"),
        "no value": (_changed(trades, Value=...), "Value"),
        "value null": (_changed(trades, Value=None), "Value"),
        "value text": (_changed(trades, Value="5"), "Value"),
        "value bool": (_changed(trades, Value=True), "Value"),
        "value list": (_changed(trades, Value=[1]), "Value"),
        "NaN": (_with_value(trades, "NaN"), "NaN"),
        "Infinity": (_with_value(trades, "Infinity"), "Infinity"),
        "-Infinity": (_with_value(trades, "-Infinity"), "Infinity"),
        "40 digits": (_with_value(trades, "1" * 40), "Value"),
        "40 decimal places": (_with_value(trades, "0." + "1" * 40), "Value"),
        "13 digits": (_with_value(trades, "1" * 13), "Value"),
        "18 decimal places": (_with_value(trades, "0." + "1" * 18), "Value"),
        "huge exponent": (_with_value(trades, "1e999999"), "Value"),
        "no such exponent": (_with_value(trades, "1e99999999999999999999"), ""),
        "no hierarchy": (_changed(trades, Hierarchy=...), "Hierarchy"),
        "hierarchy text": (_changed(trades, Hierarchy="PV:FXSpot:EMEA"), "Hierarchy"),
        "level missing": (_with_level(trades, Region=...), "Region"),
        "level empty": (_with_level(trades, TradeDesk=""), "TradeDesk"),
        "level number": (_with_level(trades, TradeDesk=1), "TradeDesk"),
        "level with separator": (_with_level(trades, TradeDesk="FX:Spot"), "TradeDesk"),
        "level surrogate": (_with_level(trades, Region="\udfff"), "Unicode"),
        "path too long": (_with_level(trades, Region="r" * 2049), "path"),
        "hierarchy too large": (_with_level(trades, Note="n" * 350_000), "Hierarchy"),
        "deleted text": (_changed(trades, Deleted="true"), "Deleted"),
        "deleted without version": (_changed(trades, Deleted=True, Version=...), "Version"),
        "timestamp text": (_changed(trades, Timestamp="yesterday"), "Timestamp"),
        "1 MiB of zeros": (bytes(2**20 - 64), ""),
        "1 MiB of JSON": (_changed(trades, TradeID="x" * (2**20 - 1000)), "TradeID"),
    }


def test_every_bad_message_is_in_quarantine_once_and_every_good_one_is_counted(
    stack: LiveStack, trades: Trades
) -> None:
    before = stack.objects("StateLambda/").keys()
    bad = bad_messages(trades)
    reasons: dict[bytes, str] = {}
    mixed: list[bytes] = []
    for number, (data, reason) in enumerate(bad.values()):
        reasons[data] = reason
        mixed += [trades.message(f"good-{number}", value="0.25"), data]
    assert len(reasons) == len(bad), "each is to be different"
    put = stack.put(mixed)

    stack.settle(trades)
    kept = wait_for(
        "all bad messages in quarantine",
        lambda: stack.quarantined("state", before),
        lambda kept: len(kept) >= len(bad),
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
    """Rows of StateTable that State never writes -> what is wrong with each."""
    version, path = {"N": "1"}, {"S": f"{trades.root}:FXSpot:EMEA"}
    value = {"N": "5"}
    return {
        "nothing at all": {},
        "no path": {"Version": version, "Value": value},
        "no value": {"Version": version, "Path": path},
        "value text": {"Version": version, "Path": path, "Value": {"S": "5"}},
        "value too large": {"Version": version, "Path": path, "Value": {"N": "1E+100"}},
        "value too fine": {"Version": version, "Path": path, "Value": {"N": "1E-100"}},
        "path number": {"Version": version, "Path": {"N": "5"}, "Value": value},
        "path too long": {
            "Version": version,
            "Path": {"S": f"{trades.root}:{'x' * 3000}"},
            "Value": value,
        },
        "path with a nameless level": {
            "Version": version,
            "Path": {"S": f":{trades.root}:x"},
            "Value": value,
        },
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

    lane = "0123abcd.1.0"

    def totals(node: str, *values: Any) -> dict[str, Any]:
        measures = {"L": [{"S": "Count"}, {"S": "Value"}]}
        return {"Measures": measures, "Totals": {"M": {node: {"L": list(values)}}}}

    one = {"N": "1"}
    rows: dict[str, dict[str, Any]] = {
        "no totals": {},
        "totals text": {"Totals": {"S": "PV"}},
        "value text": totals(f"{junk}:PV", one, {"S": "5"}),
        "value missing": totals(f"{junk}:PV", one, {"NULL": True}),
        "a value too few": totals(f"{junk}:PV", one),
        "path too long": totals("x" * 3000, one, one),
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


def test_a_value_that_no_total_has_room_for_takes_no_other_trade_with_it(
    stack: LiveStack, trades: Trades
) -> None:
    # 17 decimal places are in the totals; with the garbage's 29 digits before the point they need 46.
    stack.put([trades.message("fine", value="0.00000000000000001")])
    stack.settle(trades)
    row = {"Version": {"N": "1"}, "Path": {"S": f"{trades.root}:FXSpot:EMEA"}}
    garbage = {"id": {"S": f"{trades.root}/garbage"}, **row, "Value": {"N": "1E+28"}}
    with stack.without_mapping("map"):
        stack.dynamodb.put_item(TableName="StateTable", Item=garbage)
        stack.put([trades.message("cents", value="0.25")])
    try:
        stack.settle(trades)
    finally:
        stack.dynamodb.delete_item(TableName="StateTable", Key={"id": garbage["id"]})
    stack.catch_up(trades)
