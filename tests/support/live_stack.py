"""The deployed pipeline for the deployed tests: messages, totals, mappings, deliveries by hand, quarantine."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from leda_cli.develop.local import LocalAws, outputs_of
from leda_cli.operate.stack import FAULTS, SPECIAL_TRADES, Stack
from leda_cli.operate.totals.comparison import Phase, Settling, compare, difference_lines
from leda_cli.operate.totals.oracle import Total
from support import lambda_events
from support.live_aws import LiveAws, pause, wait_for
from support.live_function import with_variables
from support.live_trades import Trades

# Far longer than needed: an enabled mapping reads its stream from the beginning here, and the machine may be slow. Only
# a failing test waits so long.
PATIENCE_SECONDS = 180.0
FUNCTIONS = ("state", "map", "reduce")


@dataclass(frozen=True)
class Put:
    """A record that was put, and its place in the stream."""

    shard: str
    sequence_number: str
    data: bytes


class LiveStack(LiveAws[LocalAws]):
    """One stack on one local AWS, found by its Terraform outputs."""

    def __init__(self, aws: LocalAws) -> None:
        super().__init__(aws)
        self.outputs: dict[str, Any] = dict(aws.outputs)
        self.stack = Stack.deployed(aws.variables)

    # -- names

    def function(self, part: str) -> str:
        return str(self.outputs["functions"][part]["name"])

    def table(self, part: str) -> str:
        return str(self.outputs["tables"][part]["name"])

    def stream_arn(self, part: str) -> str:
        return str(self.outputs["tables"][part]["stream_arn"])

    @property
    def bucket(self) -> str:
        return str(self.outputs["quarantine_bucket"]["name"])

    # -- messages

    def put(self, messages: Iterable[bytes], key: str | None = None) -> list[Put]:
        """Put messages in calls of up to 500 messages and 4 MB, with one partition `key` or spread over the shards."""
        done: list[Put] = []
        calls: list[list[bytes]] = [[]]
        size = 0
        for data in messages:
            if len(calls[-1]) == 500 or size + len(data) > 4_000_000:
                calls.append([])
                size = 0
            calls[-1].append(data)
            size += len(data)
        for call in calls:
            left = [(data, key or f"key-{len(done) + place}") for place, data in enumerate(call)]
            deadline = time.monotonic() + 60
            while left:
                assert time.monotonic() < deadline, f"{len(left)} records were not taken in 60 s"
                answer = self.kinesis.put_records(
                    StreamName=self.stack.stream,
                    Records=[{"Data": data, "PartitionKey": name} for data, name in left],
                )
                again = []
                for (data, name), entry in zip(left, answer["Records"], strict=True):
                    if entry.get("ErrorCode"):
                        again.append((data, name))
                    else:
                        done.append(Put(entry["ShardId"], entry["SequenceNumber"], data))
                left = again
        return done

    def shard_keys(self) -> list[str]:
        """A partition key for each shard of the stream."""
        ranges = [
            shard["HashKeyRange"]
            for shard in self.kinesis.list_shards(StreamName=self.stack.stream)["Shards"]
        ]
        keys: dict[int, str] = {}
        number = 0
        while len(keys) < len(ranges):
            key = f"probe-{number}"
            place = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16)
            for index, each in enumerate(ranges):
                if int(each["StartingHashKey"]) <= place <= int(each["EndingHashKey"]):
                    keys.setdefault(index, key)
            number += 1
        return [keys[index] for index in range(len(ranges))]

    @contextmanager
    def steady_load(self, trades: Trades, seed: int, most: int = 40) -> Iterator[None]:
        """Put 30 messages twice a second during the block, at most `most` times."""
        done = threading.Event()

        def put() -> None:
            for turn in range(most):
                self.put(trades.load(30, seed=seed + turn))
                if done.wait(0.5):
                    return

        with ThreadPoolExecutor(1) as pool:
            putting = pool.submit(put)
            try:
                yield
            finally:
                done.set()
                putting.result()

    # -- totals

    def totals(self, root: str | None = None) -> dict[str, Total]:
        """The rows of AggregateTable, or those under one root of the hierarchy."""
        rows = self.stack.totals()
        if root is None:
            return rows
        return {name: value for name, value in rows.items() if name.split(":")[0] == root}

    def settle(self, trades: Trades, hold: float = 1.0, patience: float = PATIENCE_SECONDS) -> None:
        """Wait until the trades' totals are exact and stay so for `hold` seconds."""
        self.settle_at(trades.totals(), trades.root, hold, patience)

    def settle_at(
        self,
        expected: Mapping[str, Total],
        root: str | None = None,
        hold: float = 1.0,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Wait until the totals (under `root`) are these and stay so for `hold` seconds; fail with the rows that
        differ when none of them has moved for `patience` seconds.
        """
        settling = Settling(expected, time.monotonic(), hold=hold, patience=patience)
        while True:
            began = time.monotonic()
            phase = settling.look(self.totals(root), time.monotonic())
            if phase is Phase.SETTLED:
                return
            if phase is Phase.STUCK:
                rows = "\n".join(difference_lines(settling.wrong))
                raise AssertionError(f"not exact, and still for {patience} s:\n{rows}")
            pause(began)

    def assert_exact(self, trades: Trades) -> None:
        """The trades' totals are exact now."""
        wrong = compare(trades.totals(), self.totals(trades.root))
        assert not wrong, "\n".join(difference_lines(wrong))

    def catch_up(self, trades: Trades, patience: float = PATIENCE_SECONDS) -> None:
        """Wait until everything put before now has passed all three functions: a message sent into each shard
        comes after it, and its total after theirs.
        """
        marks = f"mark-{time.monotonic_ns()}"
        for number, key in enumerate(self.shard_keys()):
            self.put([trades.message(f"{marks}-{number}", value="1")], key=key)
        self.settle(trades, hold=0, patience=patience)

    # -- switches

    @contextmanager
    def faults(self, state: float = 0, map_: float = 0, reduce: float = 0) -> Iterator[None]:
        """Let the functions fail in these percentages of their invocations during the block."""
        self._set_faults(dict(zip(FAULTS, (state, map_, reduce), strict=True)))
        try:
            yield
        finally:
            self.calm()

    def calm(self) -> None:
        """Turn off all failures and the game's hard mode."""
        for name in (*FAULTS, SPECIAL_TRADES, "SCORE"):
            self.dynamodb.delete_item(
                TableName=self.table("parameter"), Key={"parameter": {"S": name}}
            )

    def _set_faults(self, rates: Mapping[str, float]) -> None:
        for name, value in rates.items():
            item = {"parameter": {"S": name}, "value": {"N": str(value)}}
            self.dynamodb.put_item(TableName=self.table("parameter"), Item=item)

    def mapping(self, part: str) -> dict[str, Any]:
        """The event source mapping of a function, as it is now."""
        uuid = self.outputs["functions"][part]["mapping_uuid"]
        return dict(self.functions.get_event_source_mapping(UUID=uuid))

    def update_mapping(self, part: str, **changes: Any) -> None:
        """Change a mapping, and wait until the change has taken effect."""
        uuid = self.outputs["functions"][part]["mapping_uuid"]
        self.functions.update_event_source_mapping(UUID=uuid, **changes)
        wait_for(
            f"the mapping of {part} at rest after {changes}",
            lambda: self.mapping(part)["State"],
            lambda state: state in ("Enabled", "Disabled"),
        )

    @contextmanager
    def few_retries(self, trades: Trades) -> Iterator[None]:
        """Let State's mapping retry a batch once during the block."""
        given = self.mapping("state")["MaximumRetryAttempts"]
        self.update_mapping("state", MaximumRetryAttempts=1)
        # A changed mapping begins at the stream's start here; wait until it has come to the end.
        self.catch_up(trades)
        try:
            yield
        finally:
            self.update_mapping("state", MaximumRetryAttempts=given)

    def with_variables(self, part: str, **changes: str) -> AbstractContextManager[None]:
        """Change environment variables of a function for the block."""
        return with_variables(self.functions, self.function(part), **changes)

    def injected_failures(self) -> dict[str, int]:
        """The number of injected failures in each function's log."""
        return {
            part: sum(
                event["message"].count("[ERROR] InjectedFaultError")
                for page in self.logs.get_paginator("filter_log_events").paginate(
                    logGroupName=self.outputs["functions"][part]["log_group_name"]
                )
                for event in page["events"]
            )
            for part in FUNCTIONS
        }

    def switch(self, part: str, on: bool) -> None:
        """Enable or disable a mapping, and wait until it is so."""
        wanted = "Enabled" if on else "Disabled"
        if self.mapping(part)["State"] != wanted:
            self.update_mapping(part, Enabled=on)
        wait_for(f"mapping of {part} {wanted}", lambda: self.mapping(part)["State"], wanted.__eq__)

    @contextmanager
    def without_mapping(self, *parts: str) -> Iterator[None]:
        """Disable mappings for the block."""
        try:
            for part in parts:
                self.switch(part, on=False)
            yield
        finally:
            for part in parts:
                self.switch(part, on=True)

    def replace_mappings(self) -> None:
        """Delete the three mappings and let Terraform create new ones, which begin at the streams' start."""
        for part in FUNCTIONS:
            self.functions.delete_event_source_mapping(UUID=self.mapping(part)["UUID"])
        wait_for(
            "the mappings gone",
            lambda: self.functions.list_event_source_mappings()["EventSourceMappings"],
            lambda left: not left,
        )
        self.aws.terraform.apply()
        text = self.aws.terraform.outputs()
        (self.aws.localstack.folder / "outputs.json").write_text(text)
        self.outputs = outputs_of(text)

    # -- deliveries by hand

    def records(
        self, part: str, after: Mapping[str, str] | None = None
    ) -> dict[str, list[lambda_events.Record]]:
        """The records of the stream that a function reads, by shard, in order, after the sequence numbers `after`."""
        if part == "state":
            return lambda_events.kinesis_records(self.kinesis, self.stack.stream, after or {})
        source = "state" if part == "map" else "reduce"
        return lambda_events.dynamodb_records(self.streams, self.stream_arn(source), after or {})

    def invoke(self, part: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke a function, and return its answer; fails with the function's error."""
        answer = self.functions.invoke(
            FunctionName=self.function(part), Payload=json.dumps(event), LogType="Tail"
        )
        body = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, f"{self.function(part)}: {body}"
        result = json.loads(body)
        assert isinstance(result, dict)
        return result

    def deliver(
        self, part: str, shard: str, records: Sequence[lambda_events.Record], size: int = 100
    ) -> None:
        """Deliver records of a shard in order in batches of `size`; the function must accept each batch whole."""
        for batch in lambda_events.batches_of(records, size):
            self.deliver_batch(part, shard, batch)

    def deliver_batch(self, part: str, shard: str, batch: Sequence[lambda_events.Record]) -> None:
        """Deliver one batch, to Map and Reduce as a mapping with a tumbling window does."""
        answer = self.invoke(part, lambda_events.event(batch, None if part == "state" else shard))
        if part != "state":
            assert "state" in answer, f"a response to a window has no state: {answer}"
        assert not answer.get("batchItemFailures"), answer

    # -- quarantine

    def objects(self, prefix: str) -> dict[str, Any]:
        """The objects of the quarantine bucket under a prefix: key -> ListObjectsV2's entry."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {entry["Key"]: entry for page in pages for entry in page.get("Contents", [])}

    def read_object(self, key: str) -> dict[str, Any]:
        """An object's JSON."""
        body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        found = json.loads(body)
        assert isinstance(found, dict)
        return found

    @contextmanager
    def empty_quarantine(self) -> Iterator[None]:
        """Empty the quarantine bucket for the block, and put its objects back afterwards."""
        kept = {
            key: self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            for key in self.objects("")
        }
        try:
            for key in kept:
                self.s3.delete_object(Bucket=self.bucket, Key=key)
            yield
        finally:
            for key, body in kept.items():
                self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def quarantined(self, part: str, after: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
        """The objects that a function has quarantined, by key, without the keys in `after`."""
        keys = self.objects(f"{self.function(part)}/").keys() - set(after)
        return {key: self.read_object(key) for key in sorted(keys)}
