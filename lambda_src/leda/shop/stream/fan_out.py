"""Invokes several functions with the records of a stream that has one event source mapping.

DynamoDB throttles a stream's shard with more than two readers
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.Processing), and three functions
process the shop's stream. So fnUpdateInventory has one mapping, and fnReadStream has the other and invokes two
functions.

Each function is invoked synchronously with the records that it processes, in order, and with the shard's name. If a
function fails, the batch fails: Lambda delivers the batch again, and all functions are invoked again. So no function
loses a record or gets records out of order.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.aws.clients import CallLimits
from leda.values.batches import batches

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

Raw = Mapping[str, Any]

# The payload of a synchronous invocation has at most 6 MB. So has a mapping's event, but its JSON may be shorter.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 5_500_000

# The functions' timeout is 30 s. One try, because Lambda delivers the whole batch again if a call has no answer.
CALL_LIMITS = CallLimits(connect_seconds=2, read_seconds=40, tries=1)


class NotDoneError(RuntimeError):
    """A function has failed, and Lambda delivers the batch again. The message leaves the function's error out."""


@dataclass(frozen=True, slots=True)
class Target:
    """A function (name or ARN), and the predicate of the stream records that it processes."""

    function: str
    wants: Callable[[Raw], bool]


class FanOut:
    """Invokes the targets, one after the other."""

    def __init__(self, client: "LambdaClient", targets: Sequence[Target]) -> None:
        self._client = client
        self._targets = targets

    def invoke(self, event: Mapping[str, Any]) -> None:
        """Invoke every target with its records of the event. Raises NotDoneError, or the client's error."""
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
    """Yield events of the records, in order, each at most MAX_PAYLOAD_BYTES long; without `shard`, without shardId."""
    head = f'{{"shardId":{json.dumps(shard)},' if shard is not None else "{"
    frame = (head + '"Records":[').encode(), b"]}"
    # In ASCII, because UTF-8 cannot hold a lone surrogate.
    texts = (json.dumps(record, separators=(",", ":")).encode() for record in records)
    for part in batches(texts, lambda text: len(text) + len(","), MAX_PAYLOAD_BYTES):
        yield b",".join(part).join(frame)
