"""Reads the objects of the quarantine bucket.

    <function>/<yyyy>/<mm>/<dd>/<event ID>.json     a record that a function could not process (leda.quarantine.bucket)
    aws/lambda/<mapping>/<shard>/<yyyy>/<mm>/<dd>/… a batch that a mapping has given up (its failure destination)
    anything else                                   not LEDA's: named, and left alone

The second: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from leda.values.texts import number_of
from leda_cli.base.batches import batched
from leda_cli.base.errors import LedaError, this_command

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GIVEN_UP = "aws/lambda/"
THREADS = 8
"""Objects that are read at the same time. One of a mapping has up to 6 MB."""
MAX_DELETED = 1000
"""https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""

_DAY = re.compile(r"/(\d{4})/(\d\d)/(\d\d)/")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that the function of `stage` could not process. `mark` changes when the object is written again."""

    key: str
    mark: str
    stage: str
    reason: str
    stream: str
    shard: str
    sequence_number: str
    event_id: str
    arrived: datetime | None
    data: bytes


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A batch that the mapping of `stage` has given up; `records` is None where the object does not hold them.

    `size` is the object's in bytes.
    """

    key: str
    mark: str
    stage: str
    reason: str
    stream: str
    shard: str
    first: str
    last: str
    count: int
    arrived: datetime | None
    records: list[dict[str, Any]] | None
    size: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """An object that LEDA did not write, or one that is damaged."""

    key: str
    reason: str


Kept = Quarantined | GivenUp


class Unreadable(ValueError):
    """An object's content does not fit its key; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which objects are meant; days are in UTC, `since` and `until` inclusive."""

    stage: str | None = None
    since: date | None = None
    until: date | None = None
    reason: str | None = None
    keys: frozenset[str] = frozenset()

    def may_mean(self, key: str) -> bool:
        """Whether an object with this key may be meant, before it is read."""
        if self.keys and key not in self.keys:
            return False
        if self.since is None and self.until is None:
            return True
        day = _day_of(key)
        return day is not None and (self.since or day) <= day <= (self.until or day)

    def means(self, found: Kept | Foreign) -> bool:
        """Whether this object is meant."""
        if self.stage is not None and (isinstance(found, Foreign) or found.stage != self.stage):
            return False
        return self.reason is None or self.reason.lower() in found.reason.lower()


@dataclass(eq=False)
class Bucket:
    """A quarantine bucket. `functions`: the name of each stage's function, which its objects' keys begin with."""

    s3: S3Client
    name: str
    functions: Mapping[str, str]

    def keys(self, prefix: str = "", wanted: Filter | None = None) -> list[str]:
        """The keys of the objects that may be meant, in order."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        found = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return [key for key in found if wanted is None or wanted.may_mean(key)]

    def read_all(self, keys: Iterable[str]) -> Iterator[Kept | Foreign]:
        """Each object that is still there, in order; a few are read ahead."""
        with ThreadPoolExecutor(THREADS) as pool:
            for some in batched(keys, 2 * THREADS):
                for found in pool.map(self.read, some):
                    if found is not None:
                        yield found

    def read(self, key: str) -> Kept | Foreign | None:
        """One object, None where it has gone."""
        try:
            answer = self.s3.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
        text = answer["Body"].read()
        version = answer.get("VersionId", "null")
        # Without versions, the second in which the object was written must do.
        mark = version if version != "null" else f"{answer['ETag']} {answer['LastModified']}"
        stage = next((s for s, name in self.functions.items() if key.startswith(f"{name}/")), None)
        try:
            if stage is not None:
                return _quarantined(key, mark, stage, _document(text))
            if key.startswith(GIVEN_UP):
                return self._given_up(key, mark, text)
        except Unreadable as error:
            return Foreign(key, str(error))
        functions = ", ".join(self.functions.values())
        return Foreign(key, f"not an object of {functions} or of their mappings")

    def delete(self, keys: Collection[str]) -> None:
        """Delete objects; in a bucket with versions they stay for a while behind a delete marker."""
        for some in batched(keys, MAX_DELETED):
            answer = self.s3.delete_objects(
                Bucket=self.name, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
            )
            for error in answer.get("Errors", ()):
                raise LedaError(
                    f"{error.get('Key')} could not be deleted: {error.get('Message')}",
                    f"give your credentials the right s3:DeleteObject, and run {this_command()} again",
                )

    def _given_up(self, key: str, mark: str, text: bytes) -> GivenUp:
        fields = _document(text)
        context = _object(fields, "requestContext")
        # arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]
        name = _text(context, "functionArn").split(":")[6:7]
        stage = next((s for s, other in self.functions.items() if [other] == name), None)
        if stage is None:
            raise Unreadable(f"it is about another function ({''.join(name)})")
        info = _object(fields, "KinesisBatchInfo" if stage == "state" else "DDBStreamBatchInfo")
        error = (fields.get("responseContext") or {}).get("functionError")
        return GivenUp(
            key,
            mark,
            stage,
            _text(context, "condition") + (f" ({error})" if error else ""),
            _text(info, "streamArn"),
            _text(info, "shardId"),
            _text(info, "startSequenceNumber"),
            _text(info, "endSequenceNumber"),
            int(info.get("batchSize", 0)),
            _time(info.get("approximateArrivalOfFirstRecord")),
            _records(fields.get("payload"), stage),
            len(text),
        )


def _day_of(key: str) -> date | None:
    match = _DAY.search(key)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _quarantined(key: str, mark: str, stage: str, fields: Mapping[str, Any]) -> Quarantined:
    try:
        data = base64.b64decode(_text(fields, "data"), validate=True)
    except ValueError as error:
        raise Unreadable(f"its data is not base64: {error}") from error
    if len(data) != fields.get("dataLength"):
        raise Unreadable(
            f"its data has {number_of(len(data), 'byte')}, not {fields.get('dataLength')}"
        )
    return Quarantined(
        key,
        mark,
        stage,
        _text(fields, "reason"),
        _text(fields, "stream"),
        _text(fields, "shard"),
        _text(fields, "sequenceNumber"),
        _text(fields, "eventID"),
        _time(fields.get("arrived")),
        data,
    )


def _document(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unreadable("it is not a JSON object")
    return found


def _text(fields: Mapping[str, Any], name: str) -> str:
    found = fields.get(name)
    if not isinstance(found, str):
        raise Unreadable(f"it has no {name} (a string)")
    return found


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = fields.get(name)
    if not isinstance(found, dict):
        raise Unreadable(f"it has no {name} (an object)")
    return found


def _time(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise Unreadable(f"{text!r} is not a time") from error
    if found.tzinfo is None:
        raise Unreadable(f"{text!r} has no time zone")
    return found


def _records(payload: object, stage: str) -> list[dict[str, Any]] | None:
    """The records of the event that the mapping gave up, None where they are not kept."""
    if payload is None:
        return None
    # AWS shows the event as an object in a string; local AWS writes the object.
    event = _document(payload.encode()) if isinstance(payload, str) else payload
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise Unreadable("its payload is not an event with Records")
    if stage == "state":
        for each in records:
            kinesis = _object(each, "kinesis")
            for fields, name in (
                (each, "eventID"),
                (each, "eventSourceARN"),
                (kinesis, "partitionKey"),
                (kinesis, "sequenceNumber"),
                (kinesis, "data"),
            ):
                _text(fields, name)
    return records or None
