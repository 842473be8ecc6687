"""Records as the Kinesis Producer Library packs them: many user records in one."""

from aws_kinesis_agg.aggregator import RecordAggregator


def packed(*messages: bytes) -> bytes:
    """What a producer's library makes of the messages."""
    aggregator = RecordAggregator()
    for message in messages:
        aggregator.add_user_record("key", message)
    data: bytes = aggregator.clear_and_get().get_contents()[2]
    return data
