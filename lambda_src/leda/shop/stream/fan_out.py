"""Hands each batch of a stream on to several functions, so that the stream has one reader.

A stream's shard should have no more than two readers, or it is throttled
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.Processing), and three functions
want the shop's. So one of them has a mapping of its own, and the other mapping's function hands each batch on to two.

Each of them is called with the records that it wants, in order, with the shard's name, and is waited for. A batch is
done when all of them have done it: one that fails holds the others up, and nobody's records are lost or overtaken. A
repeated delivery reaches all of them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.aws.clients import CallLimits

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

Raw = Mapping[str, Any]

# Lambda takes 6 MB in a synchronous call. What a mapping delivers is not longer, but it is written again here.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 5_500_000

# The functions' timeout is 30 s. A call without an answer is not made again here: the whole batch is delivered again.
CALL_LIMITS = CallLimits(connect_seconds=2, read_seconds=40, tries=1)


class NotDoneError(RuntimeError):
    """A function failed; the batch is delivered again. The message names the function and omits its error payload."""


@dataclass(frozen=True, slots=True)
class Target:
    """A function, by name or ARN, and which records it wants."""

    function: str
    wants: Callable[[Raw], bool]


class FanOut:
    """Hands batches on to the targets, one after the other."""

    def __init__(self, client: "LambdaClient", targets: Sequence[Target]) -> None:
        self._client = client
        self._targets = targets

    def hand_on(self, event: Mapping[str, Any]) -> None:
        """Let every target do its part of the event. Raises NotDoneError, or the client's error."""
        for target in self._targets:
            wanted = [record for record in event["Records"] if target.wants(record)]
            for payload in payloads(wanted, event.get("shardId")):
                self._invoke(target.function, payload)

    def _invoke(self, function: str, payload: bytes) -> None:
        answer = self._client.invoke(
            FunctionName=function, InvocationType="RequestResponse", Payload=payload
        )
        if "FunctionError" in answer:
            raise NotDoneError(f"{function} has failed: see its log")


def payloads(records: Sequence[Raw], shard: str | None) -> Iterator[bytes]:
    """Events of the records, in order, each as large as a call may be; the shard's name as the mapping told it."""
    head = f'{{"shardId":{json.dumps(shard)},' if shard is not None else "{"
    frame = (head + '"Records":[').encode(), b"]}"
    part: list[bytes] = []
    size = 0
    for record in records:
        # In ASCII, which can hold every text that JSON can: a lone surrogate has no UTF-8.
        text = json.dumps(record, separators=(",", ":")).encode()
        if part and size + len(text) > MAX_PAYLOAD_BYTES:
            yield b",".join(part).join(frame)
            part, size = [], 0
        part.append(text)
        size += len(text) + 1
    if part:
        yield b",".join(part).join(frame)
