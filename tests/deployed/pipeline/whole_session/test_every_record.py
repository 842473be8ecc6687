"""After all tests of the session, the totals equal a sum over every record of the stream."""

import base64

from leda_cli.operate.totals.comparison import compare, difference_lines, wait_until_quiet
from leda_cli.operate.totals.oracle import Oracle
from support.live_stack import LiveStack
from support.live_trades import Trades


def test_all_totals_equal_one_pass_over_every_record_of_the_stream(
    stack: LiveStack, trades: Trades
) -> None:
    stack.catch_up(trades)
    quarantined = {
        (each["shard"], each["sequenceNumber"]) for each in stack.quarantined("state").values()
    }
    oracle = Oracle()
    bad = 0
    for shard, records in stack.records("state").items():
        for record in records:
            if (shard, record["kinesis"]["sequenceNumber"]) in quarantined:
                bad += 1
            else:
                oracle.see_bytes(base64.b64decode(record["kinesis"]["data"]))
    assert bad == len(quarantined)
    wrong = compare(oracle.totals(), stack.totals())
    assert not wrong, "\n".join(difference_lines(wrong))

    _, differ = wait_until_quiet(stack.stack, patience=5)
    assert not differ, "\n".join(difference_lines(differ))
