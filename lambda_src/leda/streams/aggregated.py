"""Unpacks the aggregated records of the Kinesis Producer Library.

The format: a magic number, an AggregatedRecord in Protocol Buffers, and its MD5.
https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST_SIZE = 16
# Field numbers of the message AggregatedRecord: the partition keys, and the records, which have an index into the keys.
_PARTITION_KEYS, _RECORDS = 1, 3
# Field numbers of the message Record.
_PARTITION_KEY, _DATA = 1, 3
# https://protobuf.dev/programming-guides/encoding/#structure
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class PackedMessage:
    """A packed message; `partition_key` is None if the message has no valid index into the record's keys."""

    partition_key: str | None
    data: bytes


def unpack(data: bytes) -> list[PackedMessage] | None:
    """Return the messages that an aggregated record packs, in order; None if `data` is not one, or is broken or empty.

    The library aws-kinesis-agg is not used, because it silently drops the rest of a record after a bad index.
    """
    body, digest = data[len(MAGIC) : -_DIGEST_SIZE], data[-_DIGEST_SIZE:]
    if not data.startswith(MAGIC) or len(data) <= len(MAGIC) + _DIGEST_SIZE:
        return None
    if hashlib.md5(body, usedforsecurity=False).digest() != digest:
        return None
    try:
        fields = [(number, part) for number, part in _fields(body) if isinstance(part, bytes)]
        keys = [key for number, key in fields if number == _PARTITION_KEYS]
        parts = [_message(record, keys) for number, record in fields if number == _RECORDS]
    except ValueError:
        return None
    return parts or None


def _message(record: bytes, keys: list[bytes]) -> PackedMessage:
    data, place = None, None
    for number, content in _fields(record):  # the last of a repeated single field counts
        if number == _DATA and isinstance(content, bytes):
            data = content
        elif number == _PARTITION_KEY and isinstance(content, int):
            place = content
    if data is None:
        raise ValueError("a user record without data")
    try:
        return PackedMessage(None if place is None else keys[place].decode(), data)
    except (IndexError, UnicodeDecodeError):
        return PackedMessage(None, data)


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield the number and the content of each field that is a varint or length-delimited; skip the other fields."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if kind == _LENGTH:
            size, position = _varint(message, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        if position + size > len(message):
            raise ValueError("a field ends after its message")
        if kind == _LENGTH:
            yield tag >> 3, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Return the number that starts at `position`, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number without an end")
