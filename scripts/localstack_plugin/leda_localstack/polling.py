"""Polls streams at the pace of AWS: every shard of a Kinesis stream once a second, of a DynamoDB stream four times.

LocalStack polls one shard per interval, whatever the stream, so each of 16 shards waits for 16 intervals. With an
interval that is short enough for 16 shards, a mapping keeps kinesis-local busy, whose GetRecords takes longer the more
records a shard has.
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html, https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

KINESIS_ROUND_SECONDS = 1.0
DYNAMODB_ROUND_SECONDS = 0.25


def poll_every_shard(poller: Any, poll_next_shard: Callable[[Any], None], seconds: float) -> None:
    """Poll each shard once, in `seconds` or more; a mapping that is being stopped ends the round.

    poller: a LocalStack StreamPoller.
    poll_next_shard: LocalStack's own method, which polls the shards in turn.
    """
    end = time.monotonic() + seconds
    for _ in range(max(1, len(poller.shards))):
        if poller._is_shutdown.is_set():
            return
        poll_next_shard(poller)
    poller._is_shutdown.wait(max(0.0, end - time.monotonic()))


def install() -> None:
    """Patch LocalStack's stream pollers."""
    from localstack.services.lambda_.event_source_mapping.pollers.dynamodb_poller import (
        DynamoDBPoller,
    )
    from localstack.services.lambda_.event_source_mapping.pollers.kinesis_poller import (
        KinesisPoller,
    )

    def pace(kind: type, seconds: float) -> None:
        poll_next_shard = kind.poll_events  # type: ignore[attr-defined]
        kind.poll_events = (  # type: ignore[attr-defined]
            lambda poller: poll_every_shard(poller, poll_next_shard, seconds)
        )

    pace(KinesisPoller, KINESIS_ROUND_SECONDS)
    pace(DynamoDBPoller, DYNAMODB_ROUND_SECONDS)
