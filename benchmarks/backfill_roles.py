"""The processes of part 9: what loads the table, writes to it, reads it, counts it, and plays Reduce's mapping.

    python -m benchmarks.backfill_roles ROLE ENDPOINT ARGUMENT...      (started by benchmarks.backfill)

A role that measures prints a line of JSON.
"""

from __future__ import annotations

import itertools
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from benchmarks.designs import LEDA
from leda import audit
from leda.engine.configuration import Configuration
from leda.engine.registry import Assignment
from leda_cli.clients import local_client
from leda_cli.operations import Operation
from leda_cli.rebuild import Options, Rebuild, Tables
from leda_cli.source_table import SourceTable
from leda_cli.stream_shards import ShardReader, shards_of

TABLE = "Feedback"
SEGMENTS = 4
BATCH = 25
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""
CONFIGURATION = Configuration.from_json(
    json.dumps(
        {
            "group_by": {
                "daily": {"keys": ["date"]},
                "source": {"keys": ["source_platform", "date"], "rollup": True},
                "tags": {"keys": ["tags[]", "date"]},
            },
            "measures": {
                "Count": {"op": "count"},
                "Sentiment": {"op": "sum", "field": "sentiment_score"},
            },
        }
    )
)
DESIGN = replace(LEDA, settings={**LEDA.settings, "CONFIGURATION": CONFIGURATION.document})

_SOURCES = ("web", "app:ios", "app:android", "email", "phone")
_TAGS = ("price", "delivery", "quality", "support", "returns", "account")


def client(service: str, endpoint: str) -> Any:
    """A client of DynamoDB Local."""
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }
    return local_client(service, variables)


def row(number: int, draw: random.Random) -> dict[str, Any]:
    """A row of the table: some 300 bytes, of which a good part is in no total."""
    return {
        "feedback_id": {"S": f"{number:012d}"},
        "date": {"S": f"2026-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"},
        "source_platform": {"S": draw.choice(_SOURCES)},
        "sentiment_score": {"N": f"{draw.randint(-100, 100) / 100:g}"},
        "tags": {"SS": draw.sample(_TAGS, draw.randint(1, 2))},
        "text": {"S": "x" * draw.randint(50, 250)},
    }


def load(endpoint: str, first: str, last: str) -> None:
    """Put the rows of these numbers."""
    dynamodb, draw = client("dynamodb", endpoint), random.Random(int(first))

    def put(rows: list[dict[str, Any]]) -> None:
        requests = [{"PutRequest": {"Item": each}} for each in rows]
        dynamodb.batch_write_item(RequestItems={TABLE: requests})

    numbers = iter(range(int(first), int(last)))
    with ThreadPoolExecutor(2) as pool:
        while some := list(itertools.islice(numbers, BATCH * 100)):
            made = [row(number, draw) for number in some]
            list(pool.map(put, (made[i : i + BATCH] for i in range(0, len(made), BATCH))))


def write(endpoint: str, rows: str, rate: str) -> None:
    """Write to the table for ever: rows of it that change, new ones, and some that are deleted."""
    dynamodb, draw = client("dynamodb", endpoint), random.Random(1)
    new, began = itertools.count(int(rows)), time.monotonic()
    for done in itertools.count():
        ahead = done / float(rate) - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)
        chance = draw.random()
        number = next(new) if chance < 0.2 else draw.randrange(int(rows))
        if chance < 0.9:
            dynamodb.put_item(TableName=TABLE, Item=row(number, draw))
        else:
            dynamodb.delete_item(TableName=TABLE, Key={"feedback_id": {"S": f"{number:012d}"}})
        if done % 1000 == 999:
            print(done + 1, f"{(done + 1) / (time.monotonic() - began):.0f}", flush=True)


def read(endpoint: str) -> None:
    """Read the table with as many segments, and do nothing with it."""
    rows = 0

    def advance(count: int) -> None:
        nonlocal rows
        rows += count

    began = time.monotonic()
    attributes = audit.attributes_of(["feedback_id"], CONFIGURATION)
    takers: list[Callable[[list[dict[str, Any]]], None]] = [lambda _rows: None] * SEGMENTS
    audit.scan(client("dynamodb", endpoint), TABLE, attributes, takers, advance)
    _say(began, rows=rows)


def backfill(endpoint: str, markers: str) -> None:
    """`leda backfill`, with Reduce running beside it."""
    dynamodb = client("dynamodb", endpoint)
    began = time.monotonic()
    work = Rebuild(
        dynamodb,
        client("dynamodbstreams", endpoint),
        _Mappings(),
        Tables(
            SourceTable.described(dynamodb, TABLE),
            DESIGN.table("ReduceTable"),
            DESIGN.table("AggregateTable"),
            DESIGN.table("RegistryTable"),
        ),
        Operation(as_json=True),
        Assignment(CONFIGURATION, 1),
        Options(
            is_backfill=True, needs_backfill=True, markers=markers == "markers", segments=SEGMENTS
        ),
    )
    result = work.run()
    _say(
        began,
        rows=result.expected.rows,
        totals=len(result.expected.totals),
        behind=result.behind_seconds,
    )


class _Mappings:
    """Map's mapping, which delivers nothing before the first backfill is done."""

    def enabled(self) -> list[str]:
        return ["map"]

    def pause(self, uuids: Iterable[str]) -> None:
        pass

    def resume(self, uuids: Iterable[str]) -> None:
        pass


def deliver(endpoint: str, stage: str, table: str, seconds: str) -> None:
    """Play a stage's mapping: for ever, or until the stream of the table has had nothing for so many seconds."""
    dynamodb, streams = client("dynamodb", endpoint), client("dynamodbstreams", endpoint)
    arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    readers: dict[str, ShardReader] = {}
    quiet, records = time.monotonic(), 0
    with DESIGN.environment(stage, endpoint) as environment:
        while not float(seconds) or time.monotonic() - quiet < float(seconds):
            for shard in [each["ShardId"] for each in shards_of(streams, arn)]:
                reader = readers.setdefault(shard, ShardReader(streams, arn, shard))
                while page := reader.read():
                    quiet = time.monotonic()
                    records += len(page)
                    environment.invoke(_event(page, arn, shard))
            time.sleep(0.2)
    print(json.dumps({"records": records}), flush=True)


def _event(page: Iterable[Any], arn: str, shard: str) -> dict[str, Any]:
    records = []
    for record in page:
        change = dict(record["dynamodb"])
        change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
        if change.get("NewImage", {}).get("Totals") == {}:
            # DynamoDB Local loses the type of an empty map; DynamoDB does not.
            change["NewImage"] = {**change["NewImage"], "Totals": {"M": {}}}
        records.append({**record, "dynamodb": change, "eventSourceARN": arn})
    return {
        "Records": records,
        "state": {},
        "shardId": shard,
        "eventSourceARN": arn,
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }


def compare(endpoint: str) -> None:
    """Compare the totals with the table, when nobody writes."""
    dynamodb = client("dynamodb", endpoint)
    expected = audit.read_source(dynamodb, TABLE, ["feedback_id"], CONFIGURATION)
    found = audit.read_totals(
        dynamodb, DESIGN.table("AggregateTable"), CONFIGURATION.names, "Identifier"
    )
    wanted = {name: amounts for name, amounts in expected.totals.items() if any(amounts)}
    differing = [name for name in {*wanted, *found} if wanted.get(name) != found.get(name)]
    print(json.dumps({"totals": len(wanted), "wrong": len(differing)}), flush=True)


def _say(began: float, **more: Any) -> None:
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak, **more}), flush=True)


def _roles() -> Iterator[tuple[str, Callable[..., None]]]:
    for role in (load, write, read, backfill, deliver, compare):
        yield role.__name__, role


if __name__ == "__main__":
    dict(_roles())[sys.argv[1]](*sys.argv[2:])
