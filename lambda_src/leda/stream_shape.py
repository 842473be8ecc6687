"""The shards of a DynamoDB stream, as they are now."""

from typing import TYPE_CHECKING

from leda.lanes import Shard

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_dynamodbstreams.type_defs import DescribeStreamInputTypeDef


def shards(client: "DynamoDBStreamsClient", stream: str) -> list[Shard]:
    """All shards that DescribeStream lists.

    It is asked after a batch has come, never from memory: every record of the batch is then in a shard of the
    answer, and a stream that is one chain in it was one when they were read.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
    """
    found: list[Shard] = []
    request: DescribeStreamInputTypeDef = {"StreamArn": stream}
    while True:
        description = client.describe_stream(**request)["StreamDescription"]
        found += [
            Shard(
                shard["ShardId"],
                shard.get("ParentShardId"),
                "EndingSequenceNumber" not in shard["SequenceNumberRange"],
            )
            for shard in description["Shards"]
        ]
        last = description.get("LastEvaluatedShardId")
        if not last:
            return found
        request["ExclusiveStartShardId"] = last
