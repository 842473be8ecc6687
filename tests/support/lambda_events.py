"""Events as Lambda delivers them, made of records that are read from the streams.

The events' shapes: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html and
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html; with a tumbling window,
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leda_cli.base.batches import batched
from leda_cli.operate.deployed.stream_shards import ShardReader, shards_of
from leda_cli.operate.quarantine.state_events import of_stream

ROLE = "arn:aws:iam::000000000000:role/StateLambda"
# An invocation's payload has at most 6 MB.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_EVENT_BYTES = 5_000_000

Record = dict[str, Any]


def sequence_number(record: Record) -> str:
    """The record's sequence number."""
    found = record["kinesis"]["sequenceNumber"] if "kinesis" in record else None
    return str(found or record["dynamodb"]["SequenceNumber"])


def _start(shard: str, after: Mapping[str, str]) -> dict[str, str]:
    """The iterator's start in a Kinesis shard: after the sequence number given for the shard, or at its beginning."""
    if shard in after:
        return {
            "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
            "StartingSequenceNumber": after[shard],
        }
    return {"ShardIteratorType": "TRIM_HORIZON"}


def kinesis_records(kinesis: Any, stream: str, after: Mapping[str, str]) -> dict[str, list[Record]]:
    """All records of a Kinesis stream by shard, in order, as Lambda delivers them."""
    found: dict[str, list[Record]] = {}
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"][
        "StreamARN"
    ]
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        name = shard["ShardId"]
        found[name] = []
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=name, **_start(name, after)
        )["ShardIterator"]
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            found[name] += [of_stream(record, arn, name, ROLE) for record in answer["Records"]]
            iterator = answer.get("NextShardIterator")
            if not answer["Records"] and not answer.get("MillisBehindLatest"):
                break
    return found


def dynamodb_records(streams: Any, arn: str, after: Mapping[str, str]) -> dict[str, list[Record]]:
    """All records of a DynamoDB stream by shard, in order, as Lambda delivers them."""
    names = [shard["ShardId"] for shard in shards_of(streams, arn)]
    readers = [ShardReader(streams, arn, name, after=after.get(name)) for name in names]
    return {
        reader.shard: [_dynamodb_record(arn, record) for record in reader.read_all()]
        for reader in readers
    }


def _dynamodb_record(arn: str, record: Mapping[str, Any]) -> Record:
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    delivered = {**record, "dynamodb": change, "eventSourceARN": arn}
    if identity := record.get("userIdentity"):
        delivered["userIdentity"] = {
            "type": identity["Type"],
            "principalId": identity["PrincipalId"],
        }
    return delivered


def event(records: Sequence[Record], shard: str | None = None) -> Record:
    """An event with these records; with `shard`, as a mapping with a tumbling window makes it."""
    made: Record = {"Records": list(records)}
    if shard:
        made |= {
            "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:15:00Z"},
            "state": {},
            "shardId": shard,
            "eventSourceARN": records[0]["eventSourceARN"] if records else None,
            "isFinalInvokeForWindow": not records,
            "isWindowTerminatedEarly": False,
        }
    return made


def batches_of(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    """Batches of up to `size` records in order, smaller where an event would exceed MAX_EVENT_BYTES."""
    return batched(records, size, lambda each: len(json.dumps(each)), MAX_EVENT_BYTES)
