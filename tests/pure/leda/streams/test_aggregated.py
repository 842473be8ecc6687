"""Unpacking aggregated Kinesis records, compared with the producer library and with Protocol Buffers."""

import hashlib

from aws_kinesis_agg.aggregator import RecordAggregator, messages_pb2
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from leda.streams.aggregated import MAGIC, PackedMessage, unpack


def sealed(body: bytes) -> bytes:
    return MAGIC + body + hashlib.md5(body, usedforsecurity=False).digest()


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1, max_size=9),
            st.binary(max_size=300),
            st.none() | st.integers(0, 2**128 - 1).map(str),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_packed_records_are_unpacked_in_order(records: list[tuple[str, bytes, str | None]]) -> None:
    aggregator = RecordAggregator()
    for key, data, hash_key in records:
        aggregator.add_user_record(key, data, hash_key)
    assert unpack(aggregator.clear_and_get().get_contents()[2]) == [
        PackedMessage(key, data) for key, data, _ in records
    ]


@given(st.binary(max_size=200))
def test_a_body_is_unpacked_as_protocol_buffers_reads_it_or_not_at_all(body: bytes) -> None:
    found = unpack(sealed(body))
    try:
        message = messages_pb2.AggregatedRecord()
        message.ParseFromString(body)
    except DecodeError:
        return
    keys = dict(enumerate(message.partition_key_table))
    assert found in (
        None,
        [PackedMessage(keys.get(r.partition_key_index), r.data) for r in message.records],
    )


def test_a_record_with_a_wrong_checksum_is_not_unpacked() -> None:
    assert unpack(sealed(b"\x1a\x02\x1a\x00")) == [PackedMessage(None, b"")]
    assert unpack(sealed(b"\x1a\x02\x1a\x00")[:-1] + b"!") is None


def test_a_missing_or_invalid_partition_key_loses_no_message() -> None:
    record = b"\x1a\x05\x08\x00\x1a\x01a"
    assert unpack(sealed(record)) == [PackedMessage(None, b"a")]
    assert unpack(sealed(b"\x0a\x01\xff" + record)) == [PackedMessage(None, b"a")]
    assert unpack(sealed(b"\x0a\x01k" + record)) == [PackedMessage("k", b"a")]
