"""Checks the event source mappings, the tables whose streams they read, and how many functions can run at a time.

docs/exactly-once.md says what each setting is for. Names and values are those of GetEventSourceMapping:
https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from leda_cli.operate.prove.findings import Finding, advice, wrong

APPLY = "run `terraform apply`, and look at who changed it"

# A shard of a table's stream serves two readers at a time; more readers are throttled.
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
                f"the mapping of {function} drops records after {limit} {what}: totals would lack them"
            )
    if mapping.get("StartingPosition", "TRIM_HORIZON") != "TRIM_HORIZON":
        yield _wrong(
            f"the mapping of {function} began at {mapping['StartingPosition']}: earlier changes are in no total"
        )


def map_filter(function: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """Map must get every change: a row that a filter drops is in no total, and its deletion stays uncounted."""
    if patterns := _patterns(mapping):
        yield _wrong(f"the mapping of {function} has a filter, which drops changes: {patterns}")


def reduce_filter(function: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """Reduce's filter must pass rows that are new or replaced; rows that expire need no invocation."""
    wanted = [{"eventName": ["INSERT", "MODIFY"]}]
    found = [json.loads(pattern) for pattern in _patterns(mapping)]
    if not found:
        yield _advice(
            f"the mapping of {function} has no filter, so expired rows invoke the function for nothing"
        )
    elif found != wanted:
        yield _wrong(
            f"the mapping of {function} has the filter {_patterns(mapping)} instead of {json.dumps(wanted)}"
        )


def state_mapping(
    function: str, mapping: Mapping[str, Any], retention_hours: int
) -> Iterator[Finding]:
    """What is wrong with State's mapping; `retention_hours`: how long its stream keeps a record."""
    yield from _state_of(function, mapping)
    if mapping.get("TumblingWindowInSeconds"):
        yield _wrong(
            f"the mapping of {function} has a tumbling window, with which every batch fails"
        )
    if _REPORTS_ITEMS not in mapping.get("FunctionResponseTypes", []):
        yield _wrong(
            f"the mapping of {function} lacks {_REPORTS_ITEMS}: messages that were not stored are lost"
        )
    if _patterns(mapping):
        yield _wrong(f"the mapping of {function} has a filter, which drops messages")
    age = mapping.get("MaximumRecordAgeInSeconds", _NO_LIMIT)
    if mapping.get("MaximumRetryAttempts", _NO_LIMIT) != _NO_LIMIT:
        yield _advice(
            f"the mapping of {function} gives up a batch after {mapping['MaximumRetryAttempts']} retries; a batch "
            "fails only while a service does, so limit the age of its records instead"
        )
    elif age == _NO_LIMIT or age >= retention_hours * 3600:
        yield _advice(
            f"the mapping of {function} retries a batch for as long as the stream keeps it; then its messages are lost "
            "and never reach the failure destination"
        )


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
        yield wrong(
            f"{table['TableName']} has no local secondary index, so DynamoDB may split a lane over partitions, and "
            "Reduce may apply its rows out of order",
            "an index comes only with a new table: docs/upgrading.md, then `leda rebuild`",
        )


def readers(stream: str, functions: list[str]) -> Iterator[Finding]:
    """Too many functions read a table's stream."""
    if len(functions) > READERS_OF_A_STREAM:
        yield advice(
            f"{len(functions)} functions read {stream.partition(':table/')[2]}, and DynamoDB throttles more than "
            f"{READERS_OF_A_STREAM} readers of a stream: {', '.join(functions)}",
            "let one function read it and pass the changes on to the others",
        )


def concurrency(
    settings: Mapping[str, Any], wanted: Mapping[str, int], reserved: Mapping[str, int]
) -> Iterator[Finding]:
    """Compare the concurrent executions that the functions may need with what the account has.

    settings: GetAccountSettings' answer. wanted: how many executions each function may need: a shard needs one, or as
    many as its parallelization factor. reserved: each function's reserved concurrency, where it has one.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
    """
    for function, limit in reserved.items():
        if limit == 0:
            yield wrong(
                f"{function} has a reserved concurrency of 0: it never runs",
                "remove it (`reserved_concurrency`)",
            )
        elif limit < wanted.get(function, 0):
            yield advice(
                f"{function} has a reserved concurrency of {limit} and may need {wanted[function]} executions at once",
                f"raise `reserved_concurrency` to {wanted[function]}, or remove it",
            )
    limits = settings["AccountLimit"]
    needed = sum(count for function, count in wanted.items() if function not in reserved)
    free = limits["UnreservedConcurrentExecutions"]
    if free < needed:
        yield advice(
            f"the functions may need {needed} executions at once, and {free} of the account's "
            f"{limits['ConcurrentExecutions']} are not reserved",
            "ask for a higher quota (Service Quotas, Lambda, Concurrent executions)",
        )


def _state_of(function: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """What each mapping must have: no problem, a failure destination, and whole batches."""
    if mapping.get("BisectBatchOnFunctionError"):
        yield _advice(f"the mapping of {function} splits failed batches, which helps nothing")
    last = str(mapping.get("LastProcessingResult") or "")
    if last.startswith("PROBLEM"):
        yield wrong(
            f"Lambda reports a problem of the mapping of {function}: {last}",
            "look at the function's role and at its stream",
        )
    if not mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
        yield _advice(
            f"the mapping of {function} has no failure destination: batches that it gives up are lost"
        )


def _patterns(mapping: Mapping[str, Any]) -> list[str]:
    return [each["Pattern"] for each in (mapping.get("FilterCriteria") or {}).get("Filters", [])]


def _wrong(what: str) -> Finding:
    return wrong(what, APPLY)


def _advice(what: str) -> Finding:
    return advice(what, APPLY)
