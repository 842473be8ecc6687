"""Records that the Kinesis Producer Library packed into one, taken apart.

The format: magic number, an AggregatedRecord in Protocol Buffers, its MD5.
https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
"""

import hashlib
from collections.abc import Iterator

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST_SIZE = 16
# Field numbers of the messages AggregatedRecord and Record.
_RECORDS, _DATA = 3, 3
# https://protobuf.dev/programming-guides/encoding/#structure
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def user_data(data: bytes) -> list[bytes] | None:
    """The packed messages in order; None where `data` is no aggregated record, or a broken or empty one.

    Not aws-kinesis-agg: it drops the rest of a record silently when one of its user records has a bad index.
    """
    body, digest = data[len(MAGIC) : -_DIGEST_SIZE], data[-_DIGEST_SIZE:]
    if not data.startswith(MAGIC) or len(data) <= len(MAGIC) + _DIGEST_SIZE:
        return None
    if hashlib.md5(body, usedforsecurity=False).digest() != digest:
        return None
    try:
        parts = [_only_data(record) for number, record in _fields(body) if number == _RECORDS]
    except ValueError:
        return None
    return parts or None


def _only_data(record: bytes) -> bytes:
    found = [content for number, content in _fields(record) if number == _DATA]
    if not found:
        raise ValueError("a user record without data")
    return found[-1]  # the last of a repeated single field counts


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The number and content of each length-delimited field; the others (indices) are passed over."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == _VARINT:
            _, position = _varint(message, position)
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
    """The number that starts at `position`, and where it ends."""
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
