"""Bad messages are quarantined whole, once, with their place in the stream, and all others are counted."""

import base64
import json
from typing import Any

from support import lambda_events
from support.live_aws import wait_for
from support.live_stack import LiveStack
from support.live_trades import Trades


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
