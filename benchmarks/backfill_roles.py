"""The measured processes of part 9: one only reads the table, one backfills it.

    python -m benchmarks.backfill_roles read|backfill ENDPOINT      (started by benchmarks.backfill)

A role prints a line of JSON at its end. The table is behind HTTP (`benchmarks.table_server`). The engine's own tables
are in this process's memory, with the real handler of Reduce beside the command, so that time and memory are rather too
high.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

from benchmarks.backfill_table import CONFIGURATION, KEY, SHARD, STREAM, TABLE
from leda.engine.audit.source_sum import attributes_of, fold
from leda.engine.audit.totals_table import read_totals
from leda.engine.map.source_shards import Assignment
from leda_cli.base.clients import local_client
from leda_cli.base.operations import Operation
from leda_cli.base.paths import ROOT
from leda_cli.operate.deployed.source_table import SourceTable, Tables
from leda_cli.operate.rebuilding.rebuild import Rebuild

SEGMENTS = 4
EVENT_RECORDS = 1000


def client(service: str, endpoint: str) -> Any:
    """A client of the table server."""
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }
    return local_client(service, variables)


def read(endpoint: str) -> None:
    """Read the table with boto3 in as many segments, as a script of one's own would, and drop the rows."""
    began = time.monotonic()
    names = {f"#{place}": name for place, name in enumerate(attributes_of([KEY], CONFIGURATION))}
    sdk: Any = boto3
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    plain = sdk.client("dynamodb", endpoint_url=endpoint, region_name="us-east-1", **keys)

    def segment(number: int) -> int:
        pages = plain.get_paginator("scan").paginate(
            TableName=TABLE,
            ConsistentRead=True,
            Segment=number,
            TotalSegments=SEGMENTS,
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
        )
        return sum(len(page["Items"]) for page in pages)

    with ThreadPoolExecutor(SEGMENTS) as pool:
        rows = sum(pool.map(segment, range(SEGMENTS)))
    _say(_measured(began) | {"rows": rows})


def backfill(endpoint: str) -> None:
    """`leda backfill`, with Reduce beside it; then Map gets all of the stream, and the totals are compared."""
    engine = _engine()
    dynamodb = _Routed(engine.dynamodb, client("dynamodb", endpoint))
    streams = _Routed(engine.streams, client("dynamodbstreams", endpoint))
    began = time.monotonic()
    with _Reduce(engine) as reducing:
        result = Rebuild(
            dynamodb,  # type: ignore[arg-type]
            streams,  # type: ignore[arg-type]
            _Mappings(),  # type: ignore[arg-type]
            Tables(
                SourceTable.described(dynamodb, TABLE),  # type: ignore[arg-type]
                f"{engine.prefix}ReduceTable",
                f"{engine.prefix}RegistryTable",
                f"{engine.prefix}AggregateTable",
                "Identifier",
            ),
            Operation(as_json=True),
            Assignment(CONFIGURATION, 1),
            is_backfill=True,
            needs_backfill=True,
            markers=False,
            segments=SEGMENTS,
        ).run()
        found = _measured(began)
        rows, records = _stopped(endpoint, streams)
        function = engine.function("map")
        for first in range(0, len(records), EVENT_RECORDS):
            function(_event(records[first : first + EVENT_RECORDS]))
        reducing.to_the_end()
    totals = dict(
        read_totals(
            engine.dynamodb, f"{engine.prefix}AggregateTable", CONFIGURATION.names, "Identifier"
        )
    )
    expected = fold(rows, CONFIGURATION, [KEY]).totals
    wanted = {name: amounts for name, amounts in expected.items() if any(amounts)}
    wrong = [name for name in {*wanted, *totals} if wanted.get(name) != totals.get(name)]
    _say(
        found
        | {
            "rows": result.expected.rows,
            "behind": result.behind_seconds,
            "totals": len(wanted),
            "wrong": len(wrong),
            "records": len(records),
        }
    )


class _Routed:
    """Sends requests for the source table and its stream to the server, and all others to the tables in memory."""

    def __init__(self, local: Any, remote: Any) -> None:
        self._local, self._remote = local, remote

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            is_remote = (
                request.get("TableName") == TABLE
                or request.get("StreamArn") == STREAM
                or request.get("ShardIterator", " ").isdigit()
            )
            return getattr(self._remote if is_remote else self._local, name)(**request)

        return call


class _Mappings:
    """Map's mapping; the benchmark delivers nothing before the backfill is done."""

    def __init__(self) -> None:
        self._enabled = ["map"]

    def enabled(self) -> list[str]:
        return self._enabled

    def pause(self, uuids: Iterable[str]) -> None:
        self._enabled = []

    def resume(self, uuids: Iterable[str]) -> None:
        self._enabled = [*uuids]


def _engine() -> Any:
    """The engine's tables in memory, and its functions."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.memory_pipeline import MemoryPipeline

    class Engine(MemoryPipeline):
        def create(self) -> None:
            self.settings = {
                "LIMITS": "{}",
                "CONFIGURATION": CONFIGURATION.document,
                **{
                    f"{name.upper()}_TABLE": f"{self.prefix}{name}Table"
                    for name in ("Reduce", "Aggregate", "Registry")
                },
            }
            self._create("ReduceTable", {"Lane": "S", "Source": "S"}, "NEW_IMAGE")
            self._create("AggregateTable", {"Identifier": "S"})
            self._create("RegistryTable", {"Scope": "S", "Name": "S"})

    # The functions' output must not mix with the result on standard output.
    sys.stdout, _Output.real = open(os.devnull, "w"), sys.stdout  # noqa: SIM115
    return Engine()


class _Output:
    real: Any = sys.stdout


class _Reduce(threading.Thread):
    """Reduce's mapping."""

    def __init__(self, engine: Any) -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self._function = engine.function("reduce")
        self._done, self._ended = 0, threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.2):
            self._deliver()

    def to_the_end(self) -> None:
        """Deliver the rest of the stream, and end."""
        self._ended.set()
        self.join()
        self._deliver()

    def _deliver(self) -> None:
        from support.lambda_events import event

        ((shard, records),) = self._engine.records_by_shard("ReduceTable").items()
        new = records[self._done :]
        for first in range(0, len(new), EVENT_RECORDS):
            self._function(event(new[first : first + EVENT_RECORDS], shard))
        self._done = len(records)

    def __enter__(self) -> _Reduce:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()


def _stopped(endpoint: str, streams: Any) -> tuple[list[Any], list[Any]]:
    """Stop the writes; return the table's rows and all records of its stream."""
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"))
    connection.request("POST", "/_stop", "{}")
    rows = json.load(connection.getresponse())
    records: list[Any] = []
    iterator = "0"
    while page := streams.get_records(ShardIterator=iterator)["Records"]:
        records += page
        iterator = str(len(records))
    return rows, records


def _event(records: list[Any]) -> dict[str, Any]:
    """The event with which Map gets these records."""
    made = []
    for record in records:
        change = dict(record["dynamodb"])
        change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
        made.append({**record, "dynamodb": change, "eventSourceARN": STREAM})
    return {"Records": made, "state": {}, "shardId": SHARD, "eventSourceARN": STREAM}


def _measured(began: float) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.monotonic() - began, "peak_mb": peak}


def _say(found: dict[str, Any]) -> None:
    print(json.dumps(found), file=_Output.real, flush=True)


if __name__ == "__main__":
    {"read": read, "backfill": backfill}[sys.argv[1]](*sys.argv[2:])
