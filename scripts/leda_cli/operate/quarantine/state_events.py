"""StateLambda invoked by hand with the records of its Kinesis stream: what `leda redrive` and `leda replay` do.

This is safe because State writes a trade's row only if the row is absent or has a lower version, and the change goes
through StateTable's stream like every other one. A record that is delivered twice, late, out of order or at the same
time as by the mapping changes only what was missing. A record that cannot be read is quarantined under a key made of
its event ID, so a second delivery overwrites the same object. After any error, the records can be delivered again.
"""

from __future__ import annotations

import base64
import json
import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    as_completed,
    wait,
)
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda.pipeline.schema import Schema, SchemaError
from leda_cli.base.batches import batched
from leda_cli.base.errors import LedaError, this_command
from leda_cli.operate.deployed.functions import Function

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationResponseTypeDef

    from leda_cli.operate.stack import Stack

Record = dict[str, Any]
"""A record as it stands in an event: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html"""

MAX_EVENT_BYTES = 5_900_000
"""An invocation's payload has at most 6 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
MAX_RECORDS = 500
THREADS = 4
"""Invocations at the same time. They share the account's concurrency with everything else."""

TRIES = 4
"""Invocations with records that the function did not take, before they are told apart or given up."""
MAX_BUSY_TRIES = 10
"""Invocations in a row that Lambda did not make or answer; with the pauses, about a minute."""
MAX_FAILURES_IN_A_ROW = 25
"""Invocations in a row that ended with the function's error: then no record is to blame."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0

_BUSY = {
    "TooManyRequestsException",
    "ResourceConflictException",  # its code or its settings are just being updated
    "ResourceNotReadyException",
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """StateLambda as it is deployed now: read again before each run, because a fix may have changed it."""

    name: str
    role: str
    schema: Schema

    @classmethod
    def of(cls, stack: Stack) -> Deployed:
        """Ask Lambda. Raises LedaError where its schema is not one that this version knows."""
        found = Function.of(stack.lambdas, stack.functions["state"])
        try:
            return cls(found.name, found.role, Schema.from_json(found.variable("SCHEMA")))
        except SchemaError as error:
            raise LedaError(
                f"the schema of the deployed {found.name} is not readable: {error}",
                "use the `leda` command of the version that is deployed",
            ) from error


def record(
    *,
    stream: str,
    role: str,
    event_id: str,
    sequence_number: str,
    partition_key: str,
    arrived: datetime | None,
    data: bytes,
) -> Record:
    """A record as Lambda delivers it; `stream` and `role` are ARNs, `event_id` is `<shard>:<sequence number>`."""
    kinesis: Record = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": partition_key,
        "sequenceNumber": sequence_number,
        "data": base64.b64encode(data).decode(),
    }
    if arrived is not None:
        kinesis["approximateArrivalTimestamp"] = arrived.timestamp()
    return {
        "kinesis": kinesis,
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": event_id,
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role,
        "awsRegion": stream.split(":")[3],
        "eventSourceARN": stream,
    }


def of_stream(found: RecordTypeDef, stream: str, shard: str, role: str) -> Record:
    """A record that GetRecords gave, as Lambda delivers it."""
    return record(
        stream=stream,
        role=role,
        event_id=f"{shard}:{found['SequenceNumber']}",
        sequence_number=found["SequenceNumber"],
        partition_key=found["PartitionKey"],
        arrived=found["ApproximateArrivalTimestamp"],
        data=found["Data"],
    )


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records in order, in events that an invocation takes. One that is too large for any event stands alone."""
    return batched(records, MAX_RECORDS, lambda each: len(json.dumps(each)) + 2, MAX_EVENT_BYTES)


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that StateLambda does not take, and what it said last."""

    record: Record
    reason: str


@dataclass(slots=True)
class Delivered:
    """What became of a batch: all records but `failed` are stored or quarantined, or were not newer."""

    records: Sequence[Record]
    failed: list[Failure] = field(default_factory=list)
    invocations: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """Which records of an event are not done with. `is_whole`: the function says no more than that it failed."""

    failed: list[Record]
    reason: str = ""
    is_whole: bool = False
    is_final: bool = False


class StateFunction:
    """Invokes StateLambda. Records that fail are delivered again, and one that fails always takes no other with it."""

    def __init__(self, client: LambdaClient, name: str) -> None:
        self._client = client
        self._name = name
        self._lock = threading.Lock()
        self._failures_in_a_row = 0
        self._stop = threading.Event()

    def deliver_all(self, events: Iterable[list[Record]]) -> Iterator[Delivered]:
        """Deliver batches, a few at a time; what became of each, in the order they end.

        `events` is read no faster than the function takes them. Raises LedaError where the function takes nothing.
        """
        pool = ThreadPoolExecutor(THREADS)
        pending: set[Future[Delivered]] = set()
        try:
            for event in events:
                pending.add(pool.submit(self.deliver, event))
                if len(pending) >= 2 * THREADS:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    for each in done:
                        yield each.result()
            for each in as_completed(pending):
                yield each.result()
        except BaseException:
            # Nobody waits for the rest: an error, Ctrl-C, or the caller has gone.
            self._stop.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def deliver(self, batch: Sequence[Record]) -> Delivered:
        """Deliver one batch until every record is taken or has been given up."""
        done = Delivered(batch)
        todo = [list(batch)]
        while todo:
            left = todo.pop()
            answer = self._try(left, done)
            if answer.is_whole and len(answer.failed) > 1:
                middle = len(answer.failed) // 2
                todo += [answer.failed[middle:], answer.failed[:middle]]
            else:
                done.failed += [Failure(each, answer.reason) for each in answer.failed]
        return done

    def _try(self, left: list[Record], done: Delivered) -> _Answer:
        answer = _Answer(left)
        for attempt in range(TRIES):
            if attempt:
                self._pause(attempt)
            answer = self._invoke(answer.failed)
            done.invocations += 1
            if not answer.failed or answer.is_final:
                break
        return answer

    def _invoke(self, records: list[Record]) -> _Answer:
        response = self._call(json.dumps({"Records": records}).encode())
        if response is None:
            reason = "too large: an invocation takes at most 6 MB"
            return _Answer(records, reason, is_whole=True, is_final=True)
        body = response["Payload"].read().decode()
        if "FunctionError" in response:
            reason = _error_text(body)
            self._count_failure(reason)
            return _Answer(records, reason, is_whole=True)
        self._failures_in_a_row = 0
        return _partial(records, body)

    def _call(self, payload: bytes) -> InvocationResponseTypeDef | None:
        """The function's answer, None where the event is too large. Raises LedaError where Lambda makes no call."""
        last: Exception | None = None
        for attempt in range(MAX_BUSY_TRIES):
            if attempt:
                self._pause(attempt)
            try:
                return self._client.invoke(FunctionName=self._name, Payload=payload)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "RequestTooLargeException":
                    return None
                if code not in _BUSY and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    raise
                last = error
            except (HTTPClientError, NoConnection) as error:
                # It may have worked; that is no reason not to do it again.
                last = error
        raise LedaError(
            f"{self._name} could not be invoked in {MAX_BUSY_TRIES} tries: {last}",
            f"look at its concurrency (the account's, and reserved_concurrency) and run {this_command()} again: "
            "what was delivered already does no harm",
        ) from last

    def _count_failure(self, reason: str) -> None:
        with self._lock:
            self._failures_in_a_row += 1
            if self._failures_in_a_row < MAX_FAILURES_IN_A_ROW:
                return
        raise LedaError(
            f"{self._name} failed {MAX_FAILURES_IN_A_ROW} times in a row: {reason}",
            f"look at its log, correct it and run {this_command()} again: what was delivered already does no harm",
        )

    def _pause(self, attempt: int) -> None:
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**attempt)
        if self._stop.wait(random.uniform(longest / 2, longest)):
            raise CancelledError


def _error_text(body: str) -> str:
    """A function's error in a line."""
    try:
        error = json.loads(body)
        return f"{error.get('errorType', 'error')}: {error['errorMessage']}"
    except (ValueError, KeyError, AttributeError):
        return body[:500]


def _partial(records: list[Record], body: str) -> _Answer:
    """What the function's partial batch response leaves.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
    """
    try:
        numbers = {each["itemIdentifier"] for each in json.loads(body)["batchItemFailures"]}
    except (ValueError, KeyError, TypeError):
        return _Answer(records, f"no partial batch response but {body[:200]}", is_final=True)
    failed = [each for each in records if each["kinesis"]["sequenceNumber"] in numbers]
    if numbers and not failed:
        return _Answer(records, f"names records that it was not given: {body[:200]}", is_final=True)
    return _Answer(failed, "StateLambda could not store it; its log says why" if failed else "")
