"""Writes records that cannot be processed to the quarantine bucket, as received, with the reason and the origin.

    s3://<bucket>/<function>/<yyyy>/<mm>/<dd>/<event ID>.json
    {"reason", "function", "stream" (ARN), "shard", "sequenceNumber", "eventID", "arrived" (ISO 8601 or null),
     "data" (base64 of the bytes as received), "dataLength" (bytes)}

The key depends on the event ID and the arrival time only, so a retry overwrites the object.
"""

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from leda.aws import clients, settings
from leda.streams.raw_records import id_by_content

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_UNSAFE = re.compile(r"[^0-9A-Za-z_.-]")

# A key has at most 1,024 bytes, with the function's name and the day.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_ID_CHARACTERS = 500

# The most bytes of a text in the log, because a reason may quote the record, and a log line has at most 256 KB.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
MAX_LOGGED_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record for the quarantine. `stream` is an ARN, `arrived` is in UTC, `data` has the bytes as received."""

    reason: str
    stream: str
    shard: str
    sequence_number: str
    event_id: str
    arrived: datetime | None
    data: bytes


class Quarantine:
    """The quarantine of one function."""

    def __init__(self, client: "S3Client", bucket: str, function: str) -> None:
        self._client = client
        self._bucket = bucket
        self._function = function

    @classmethod
    def from_settings(cls) -> "Quarantine":
        """Return the quarantine of this function in the bucket QUARANTINE_BUCKET. Raises MissingSettingError."""
        return cls(clients.s3(), settings.required("QUARANTINE_BUCKET"), settings.function_name())

    def put(self, bad: BadRecord) -> str:
        """Write the record; return its key. Raises the client's error; Lambda must then deliver the record again."""
        key = key_of(self._function, bad.arrived, bad.event_id)
        body = {
            "reason": bad.reason,
            "function": self._function,
            "stream": bad.stream,
            "shard": bad.shard,
            "sequenceNumber": bad.sequence_number,
            "eventID": bad.event_id,
            "arrived": bad.arrived.isoformat() if bad.arrived else None,
            "data": base64.b64encode(bad.data).decode(),
            "dataLength": len(bad.data),
        }
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=json.dumps(body, indent=1).encode(),
            ContentType="application/json",
        )
        return key


def key_of(function: str, arrived: datetime | None, event_id: str) -> str:
    """Return the key of a record's object. `leda redrive` looks there for records that fail again."""
    day = f"{arrived:%Y/%m/%d}" if arrived else "undated"
    name = _UNSAFE.sub("_", event_id)
    if len(name) > MAX_ID_CHARACTERS:
        name = f"{name[:MAX_ID_CHARACTERS]}_{id_by_content(event_id.encode(errors='replace'))}"
    return f"{function}/{day}/{name}.json"
