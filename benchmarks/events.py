"""Makes events of a Kinesis stream and of DynamoDB streams, as Lambda delivers them.

Their shapes: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html, with-ddb.html and, as LEDA's mappings
have a tumbling window, services-ddb-windows.html.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
import random
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Event = dict[str, Any]
Image = dict[str, Any]

_KINESIS = "arn:aws:kinesis:us-east-1:123456789012:stream/IncomingDataStream"
_DYNAMODB = "arn:aws:dynamodb:us-east-1:123456789012:table/{}/stream/2026-01-01T00:00:00.000"
_SHARD = "shardId-00000001772345678901-0a1b2c3d"
# The present time, because Map derives the expiry of its rows from the time of their changes if that is plausible.
_ARRIVED = int(time.time())
# As long as real sequence numbers: 56 and 30 digits.
_KINESIS_SEQUENCE = 4 * 10**55
_DYNAMODB_SEQUENCE = 10**29


class Events:
    """Makes events whose sequence numbers rise from event to event, as in a shard."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def kinesis(self, messages: Iterable[bytes]) -> Event:
        """An event of the ingest stream."""
        return {"Records": [self._kinesis_record(message) for message in messages]}

    def dynamodb(self, table: str, changes: Iterable[tuple[Image | None, Image | None]]) -> Event:
        """An event of a table's stream from a mapping with a tumbling window; `changes` are (old image, new image).

        A new row has no old image, and a deleted row has no new image.
        """
        stream = _DYNAMODB.format(table)
        return {
            "Records": [self._change(stream, old, new) for old, new in changes],
            "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:15:00Z"},
            "state": {},
            "shardId": _SHARD,
            "eventSourceARN": stream,
            "isFinalInvokeForWindow": False,
            "isWindowTerminatedEarly": False,
        }

    def _kinesis_record(self, message: bytes) -> Event:
        sequence = str(_KINESIS_SEQUENCE + next(self._numbers))
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "0" * 64,
                "sequenceNumber": sequence,
                "data": base64.b64encode(message).decode(),
                "approximateArrivalTimestamp": _ARRIVED + 0.25,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"shardId-000000000000:{sequence}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/StateLambda",
            "awsRegion": "us-east-1",
            "eventSourceARN": _KINESIS,
        }

    def _change(self, stream: str, old: Image | None, new: Image | None) -> Event:
        number = next(self._numbers)
        images = {"NewImage": new, "OldImage": old}
        return {
            "eventID": f"{number:032x}",
            "eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": _ARRIVED,
                "Keys": {},
                "SequenceNumber": str(_DYNAMODB_SEQUENCE + number),
                "SizeBytes": 300,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
                **{name: image for name, image in images.items() if image is not None},
            },
            "eventSourceARN": stream,
        }


class Messages:
    """Draws messages of trades, the same ones for the same seed. `widths`: how many children a node has at each level.

    duplicates: the percentage of messages that are duplicates of one of the same 100 messages. modified: the percentage
    of the other messages that are the next version of a trade of an earlier batch.
    """

    LEVELS = ("RiskType", "TradeDesk", "Region")

    def __init__(
        self,
        seed: int,
        widths: Sequence[int] = (2, 2, 3),
        duplicates: int = 7,
        modified: int = 3,
    ) -> None:
        self._draw = random.Random(seed)
        self._widths = widths
        self._duplicates = duplicates
        self._modified = modified
        self._versions: dict[str, int] = {}
        self._earlier: list[str] = []

    @property
    def nodes(self) -> int:
        """How many totals there are when every leaf has been drawn."""
        return sum(math.prod(self._widths[: depth + 1]) for depth in range(len(self._widths)))

    def batch(self, size: int = 1000) -> list[bytes]:
        """The next messages."""
        made: list[bytes] = []
        self._earlier = list(self._versions)
        while len(made) < size:
            hundred = min(100, size - len(made))
            duplicates = hundred * self._duplicates // 100
            new = list(self._new(hundred - duplicates))
            made += new + [self._draw.choice(new) for _ in range(duplicates)]
        return made

    def _new(self, count: int) -> Iterator[bytes]:
        draw = self._draw
        for _ in range(count):
            if self._earlier and draw.uniform(0, 100) < self._modified:
                trade = self._earlier.pop(draw.randrange(len(self._earlier)))
            else:
                trade = str(uuid.UUID(int=draw.getrandbits(128), version=4))
            version = self._versions[trade] = self._versions.get(trade, -1) + 1
            cents = draw.randrange(10_000_000)
            fields: Mapping[str, object] = {
                "TradeID": trade,
                "Version": version,
                "Timestamp": _ARRIVED + draw.random() * 1000,
                "Hierarchy": {
                    # Names as long as the workshop's.
                    level: f"{level[0]}{draw.randrange(width):05d}"
                    for level, width in zip(self.LEVELS, self._widths, strict=True)
                },
            }
            value = f"{cents // 100}.{cents % 100:02d}"
            yield f'{json.dumps(fields)[:-1]}, "Value": {value}}}'.encode()
