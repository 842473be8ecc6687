"""Whether the event source mappings, and the tables whose streams they read, are as exactly-once needs them.

docs/exactly-once.md says what each setting is for. Names and values are those of GetEventSourceMapping:
https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from leda_cli.operate.prove.findings import Finding, Level

APPLY = "run `terraform apply`, and look at who changed it"

# A shard of a table's stream takes no more than two readers at a time; beyond, they are throttled.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.Processing
READERS_OF_A_STREAM = 2

_REPORTS_ITEMS = "ReportBatchItemFailures"
_NO_LIMIT = -1


def exactly_once_mapping(function: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with a mapping of Map or Reduce."""
    yield from _state_of(function, mapping)
    if not mapping.get("TumblingWindowInSeconds"):
        yield _wrong(
            f"the mapping of {function} has no tumbling window, so its events name no shard and are refused"
        )
    if mapping.get("ParallelizationFactor", 1) != 1:
        yield _wrong(
            f"the mapping of {function} delivers {mapping['ParallelizationFactor']} batches of a shard at a time, "
            "which come out of order: changes are lost"
        )
    for name, what in (
        ("MaximumRetryAttempts", "retries"),
        ("MaximumRecordAgeInSeconds", "seconds of a record's age"),
    ):
        if (limit := mapping.get(name, _NO_LIMIT)) != _NO_LIMIT:
            yield _wrong(
                f"the mapping of {function} gives records up after {limit} {what}: totals would lack them"
            )
    if mapping.get("BisectBatchOnFunctionError"):
        yield _advice(f"the mapping of {function} cuts failed batches in two, which helps nothing")
    if mapping.get("StartingPosition", "TRIM_HORIZON") != "TRIM_HORIZON":
        yield _wrong(
            f"the mapping of {function} began at {mapping['StartingPosition']}: changes before are in no total"
        )


def map_filter(function: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """Map must get every change: what a filter leaves out is in no total, or stays in one."""
    if patterns := _patterns(mapping):
        yield _wrong(
            f"the mapping of {function} has a filter, which leaves changes out: {patterns}"
        )


def reduce_filter(function: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """Reduce's filter lets rows in that are new or replaced, and none that expire."""
    wanted = [{"eventName": ["INSERT", "MODIFY"]}]
    found = [json.loads(pattern) for pattern in _patterns(mapping)]
    if not found:
        yield _advice(
            f"the mapping of {function} has no filter, so rows that expire invoke it for nothing"
        )
    elif found != wanted:
        yield _wrong(f"the mapping of {function} has another filter: {_patterns(mapping)}")


def state_mapping(
    function: str, mapping: Mapping[str, Any], retention_hours: int
) -> Iterator[Finding]:
    """What is wrong with the mapping of State, whose stream keeps a record for so many hours."""
    yield from _state_of(function, mapping)
    if mapping.get("TumblingWindowInSeconds"):
        yield _wrong(
            f"the mapping of {function} has a tumbling window, for which every batch fails"
        )
    if _REPORTS_ITEMS not in mapping.get("FunctionResponseTypes", []):
        yield _wrong(
            f"the mapping of {function} does not take {_REPORTS_ITEMS}: messages that were not stored are lost"
        )
    if _patterns(mapping):
        yield _wrong(f"the mapping of {function} has a filter, which leaves messages out")
    age = mapping.get("MaximumRecordAgeInSeconds", _NO_LIMIT)
    if mapping.get("MaximumRetryAttempts", _NO_LIMIT) != _NO_LIMIT:
        yield _advice(
            f"the mapping of {function} gives a batch up after {mapping['MaximumRetryAttempts']} retries, though a "
            "batch that fails has met a failing service"
        )
    elif age == _NO_LIMIT or age >= retention_hours * 3600:
        yield _advice(
            f"the mapping of {function} tries a batch for as long as the stream keeps it, and it is then lost instead "
            "of sent to the failure destination"
        )
    if mapping.get("BisectBatchOnFunctionError"):
        yield _advice(f"the mapping of {function} cuts failed batches in two, which helps nothing")


def source_stream(table: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with the stream of the table whose rows are counted (DescribeTable's answer)."""
    view = table.get("StreamSpecification", {}).get("StreamViewType")
    if view != "NEW_AND_OLD_IMAGES":
        yield _wrong(
            f"the stream of {table['TableName']} has {view or 'nothing'}, and Map needs NEW_AND_OLD_IMAGES"
        )


def reduce_table(table: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with ReduceTable (DescribeTable's answer)."""
    view = table.get("StreamSpecification", {}).get("StreamViewType")
    if view not in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        yield _wrong(
            f"the stream of {table['TableName']} has {view or 'nothing'}, and Reduce needs NEW_IMAGE"
        )
    if not table.get("LocalSecondaryIndexes"):
        yield Finding(
            Level.WRONG,
            f"{table['TableName']} has no local secondary index, so DynamoDB may split a lane over partitions, and "
            "Reduce may apply its rows out of order",
            "an index comes only with a new table: docs/upgrading.md, then `leda rebuild`",
        )


def readers(stream: str, functions: list[str]) -> Iterator[Finding]:
    """Too many functions read a table's stream."""
    if len(functions) > READERS_OF_A_STREAM:
        yield Finding(
            Level.ADVICE,
            f"{len(functions)} functions read {stream.partition(':table/')[2]}, and a stream takes "
            f"{READERS_OF_A_STREAM} readers before it throttles them: {', '.join(functions)}",
            "read with one function that passes the changes on",
        )


def _state_of(function: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """Lambda says why a mapping does not work in words: the result of its last attempt."""
    last = str(mapping.get("LastProcessingResult") or "")
    if last.startswith("PROBLEM"):
        yield Finding(
            Level.WRONG,
            f"Lambda reports a problem of the mapping of {function}: {last}",
            "look at the function's role and at its stream",
        )
    if not mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
        yield _advice(
            f"the mapping of {function} has no failure destination: what it gives up is gone"
        )


def _patterns(mapping: Mapping[str, Any]) -> list[str]:
    return [each["Pattern"] for each in (mapping.get("FilterCriteria") or {}).get("Filters", [])]


def _wrong(what: str) -> Finding:
    return Finding(Level.WRONG, what, APPLY)


def _advice(what: str) -> Finding:
    return Finding(Level.ADVICE, what, APPLY)
