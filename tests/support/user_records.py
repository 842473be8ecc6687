"""Kinesis records that hold several messages, as the Kinesis Producer Library packs them."""

from leda_cli.demos.play_record_processor import aggregated


def packed(*messages: bytes) -> bytes:
    """One Kinesis record of these messages, which have the same partition key."""
    return aggregated([("key", message) for message in messages])
