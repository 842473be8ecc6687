"""What State cannot store for reasons that are not the messages' ends in the bucket, and can be sent again."""

import base64
from typing import Any

from support.live_aws import wait_for
from support.live_stack import LiveStack
from support.live_trades import Trades


def test_batches_that_state_cannot_store_end_in_the_bucket_and_count_when_sent_again(
    stack: LiveStack, trades: Trades
) -> None:
    prefix = "aws/lambda/"
    before = stack.objects(prefix).keys()

    def failed() -> dict[str, dict[str, Any]]:
        keys = stack.objects(prefix).keys() - before
        return {key: stack.read_object(key) for key in keys}

    with stack.few_retries(trades):
        messages = [trades.message(f"t{number}", 1, f"{number}.5") for number in range(4)]
        with stack.with_variables("state", STATE_TABLE="NoSuchTable"):
            put = stack.put(messages, key="one shard")
            kept = wait_for(
                "all messages at the failure destination",
                failed,
                lambda kept: sum(each["KinesisBatchInfo"]["batchSize"] for each in kept.values())
                >= len(messages),
            )
        data = []
        for key, each in kept.items():
            # https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
            assert stack.mapping("state")["UUID"] in key
            assert each["requestContext"]["condition"] == "RetryAttemptsExhausted"
            assert each["requestContext"]["functionArn"].startswith(
                stack.outputs["functions"]["state"]["arn"]
            )
            assert each["requestContext"]["approximateInvokeCount"] == 2
            info = each["KinesisBatchInfo"]
            assert info["streamArn"] == stack.outputs["stream"]["arn"]
            assert info["shardId"] == put[0].shard
            assert int(info["startSequenceNumber"]) <= int(info["endSequenceNumber"])
            records = each["payload"]["Records"]
            assert len(records) == info["batchSize"]
            data += [base64.b64decode(record["kinesis"]["data"]) for record in records]
        assert sorted(data) == sorted(messages), "each message is there once, as it was put"
        assert stack.totals(trades.root) != trades.totals(), "nothing of it is in the totals"

        stack.put(data)
        stack.settle(trades)
    stack.catch_up(trades)
