"""A table of many rows behind DynamoDB's API, in a process of its own that does nothing else: scans, and its stream.

    python -m benchmarks.table_server ROWS RATE PORT      (started by benchmarks.backfill)

Amazon's DynamoDB Local takes minutes for a parallel scan of some hundred thousand rows. Here a page is made of texts
that are ready, so that reading is bound by the client, as it is on AWS with enough capacity. While it serves, RATE
writes a second change, add and delete rows, and each makes a record of the stream. POST /_stop ends the writes, and its
answer has the rows as they are then.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import threading
import time
from collections.abc import Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.backfill_table import CONFIGURATION, KEY, SHARD, STREAM, TABLE, row
from leda.engine.audit.source_sum import attributes_of

# A page of a scan has a megabyte of rows.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
PAGE_BYTES = 1024 * 1024
PAGE_RECORDS = 1000
FIRST_SEQUENCE = 10**20


class Table:
    """The rows by number, as JSON, and the stream's records."""

    def __init__(self, rows: int, attributes: frozenset[str]) -> None:
        self._attributes = attributes
        draw = random.Random(0)
        self.texts: dict[int, str] = {}
        self.sizes: dict[int, int] = {}
        self.records: list[dict[str, Any]] = []
        self.numbers = itertools.count(rows)
        self.lock = threading.Lock()
        self._rows = self._end = rows
        for number in range(rows):
            self._set(number, row(number, draw))

    def _set(self, number: int, item: dict[str, Any] | None) -> None:
        if item is None:
            self.texts.pop(number, None)
            return
        self._end = max(self._end, number + 1)
        whole = json.dumps(item)
        shown = {name: value for name, value in item.items() if name in self._attributes}
        self.texts[number], self.sizes[number] = json.dumps(shown), len(whole)

    def write(self, draw: random.Random) -> None:
        """Change a row, add one, or delete one."""
        chance = draw.random()
        number = next(self.numbers) if chance < 0.2 else draw.randrange(self._rows)
        with self.lock:
            old = self.texts.get(number)
            new = row(number, draw) if chance < 0.9 else None
            if new is None and old is None:
                return
            self._set(number, new)
            change: dict[str, Any] = {
                "Keys": {KEY: {"S": f"{number:012d}"}},
                "SequenceNumber": str(FIRST_SEQUENCE + len(self.records)),
                "ApproximateCreationDateTime": int(time.time()),
                "SizeBytes": 600,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            }
            if new is not None:
                change["NewImage"] = new
            if old is not None:
                # Of what is in no total, nothing is kept.
                change["OldImage"] = json.loads(old)
            name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
            self.records.append(
                {
                    "eventID": change["SequenceNumber"],
                    "eventName": name,
                    "eventVersion": "1.1",
                    "eventSource": "aws:dynamodb",
                    "awsRegion": "us-east-1",
                    "dynamodb": change,
                }
            )

    def scan(self, request: Mapping[str, Any]) -> str:
        """A page of a segment, which has a range of the numbers; rows that are added are in the last one."""
        segments, segment = request.get("TotalSegments", 1), request.get("Segment", 0)
        each = -(-self._rows // segments)
        start = request.get("ExclusiveStartKey")
        number = int(start[KEY]["S"]) + 1 if start else segment * each
        with self.lock:
            end = self._end if segment == segments - 1 else (segment + 1) * each
            page, size = [], 0
            while number < end and size < PAGE_BYTES:
                if (text := self.texts.get(number)) is not None:
                    page.append(text)
                    size += self.sizes[number]
                number += 1
        more = (
            f',"LastEvaluatedKey":{{"{KEY}":{{"S":"{number - 1:012d}"}}}}' if number < end else ""
        )
        return f'{{"Items":[{",".join(page)}],"Count":{len(page)}{more}}}'

    def answer(self, operation: str, request: Mapping[str, Any]) -> str:
        """The answer to a call, as JSON."""
        if operation == "Scan":
            return self.scan(request)
        if operation == "GetShardIterator":
            kind = request["ShardIteratorType"]
            place = len(self.records) if kind == "LATEST" else 0
            if kind == "AFTER_SEQUENCE_NUMBER":
                place = int(request["SequenceNumber"]) - FIRST_SEQUENCE + 1
            return json.dumps({"ShardIterator": str(place)})
        if operation == "GetRecords":
            place = int(request["ShardIterator"])
            page = self.records[place : place + PAGE_RECORDS]
            return json.dumps({"Records": page, "NextShardIterator": str(place + len(page))})
        if operation == "DescribeStream":
            numbers = {"StartingSequenceNumber": str(FIRST_SEQUENCE)}
            shard = {"ShardId": SHARD, "SequenceNumberRange": numbers}
            return json.dumps({"StreamDescription": {"StreamArn": STREAM, "Shards": [shard]}})
        if operation == "ListStreams":
            return json.dumps({"Streams": [{"StreamArn": STREAM}]})
        assert operation == "DescribeTable", operation
        return json.dumps(
            {
                "Table": {
                    "TableName": TABLE,
                    "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
                    "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
                    "LatestStreamArn": STREAM,
                    "StreamSpecification": {"StreamEnabled": True},
                    "ItemCount": len(self.texts),
                    "TableSizeBytes": sum(self.sizes.values()),
                }
            }
        )


class Writer(threading.Thread):
    """Writes to the table at a rate, until it is stopped."""

    def __init__(self, table: Table, rate: float) -> None:
        super().__init__(daemon=True)
        self._table, self._rate = table, rate
        self.stopped = threading.Event()

    def run(self) -> None:
        """Write."""
        draw, began = random.Random(1), time.monotonic()
        for done in itertools.count():
            ahead = done / self._rate - (time.monotonic() - began)
            if self.stopped.wait(max(0.0, ahead)):
                return
            self._table.write(draw)


def _handler(table: Table, writer: Writer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer's head and body in two packets would wait for each other.
        wbufsize = -1

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            if self.path == "/_stop":
                writer.stopped.set()
                writer.join()
                text = f'[{",".join(table.texts.values())}]'
            else:
                operation = self.headers["X-Amz-Target"].rpartition(".")[2]
                text = table.answer(operation, request)
            body = text.encode()
            self.send_response_only(200)
            self.send_header("Date", formatdate(usegmt=True))
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def main() -> None:
    """Make the table, say so, and serve."""
    rows, rate, port = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    attributes = attributes_of([KEY], CONFIGURATION)
    table = Table(rows, frozenset(attributes))
    writer = Writer(table, rate)
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(table, writer))
    writer.start()
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
