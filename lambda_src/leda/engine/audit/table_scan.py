"""Scans a table, several segments at a time."""

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ScanInputTypeDef

# One segment's scan waits for one request at a time. Eight segments leave some of a client's connections to others.
SEGMENTS = 8

# Python looks for cycles among its objects after so many new ones. By default these are a few hundred; a page has more
# objects than that in its rows, which have no cycles, and the looking takes a fifth of the time of a scan.
# https://docs.python.org/3/library/gc.html#gc.set_threshold
_OBJECTS_BETWEEN_COLLECTIONS = 200_000


def scan(
    client: "DynamoDBClient",
    table: str,
    attributes: Sequence[str],
    receivers: Sequence[Callable[[list[dict[str, Any]]], None]],
    advance: Callable[[int], object] = lambda _count: None,
) -> None:
    """Scan the table in one segment for each receiver, at a time, and call the receiver with the segment's pages.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan
    """
    one_at_a_time, failed = threading.Lock(), threading.Event()

    def read(segment: int) -> None:
        try:
            for rows in pages(client, table, attributes, segment, len(receivers)):
                receivers[segment](rows)
                with one_at_a_time:
                    advance(len(rows))
                if failed.is_set():
                    break
        except BaseException:
            failed.set()
            raise

    with _few_collections(), ThreadPoolExecutor(len(receivers)) as pool:
        try:
            list(pool.map(read, range(len(receivers))))
        except BaseException:
            # Ctrl-C too: the other segments end with their page, not with the table.
            failed.set()
            raise


@contextmanager
def _few_collections() -> Iterator[None]:
    thresholds = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def pages(
    client: "DynamoDBClient",
    table: str,
    attributes: Sequence[str],
    segment: int = 0,
    segments: int = 1,
) -> Iterator[list[dict[str, Any]]]:
    """Yield the pages of one segment, by consistent reads, with these attributes of each row."""
    names = {f"#a{place}": name for place, name in enumerate(attributes)}
    request: ScanInputTypeDef = {
        "TableName": table,
        "ConsistentRead": True,
        "Segment": segment,
        "TotalSegments": segments,
        "ProjectionExpression": ", ".join(names),
        "ExpressionAttributeNames": names,
    }
    while True:
        page = client.scan(**request)
        yield page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
