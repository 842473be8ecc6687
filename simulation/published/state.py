"""The published design's State: a conditional UpdateItem a message."""

import os
from typing import Any

from botocore.exceptions import ClientError

from leda.aws import clients
from leda.pipeline import state_rows
from leda.pipeline.messages import BadInputError, Message, parse
from leda.pipeline.schema import Schema
from leda.streams.kinesis import user_records

dynamodb: Any = clients.sdk("dynamodb")
schema = Schema.from_json(os.environ["SCHEMA"])
table = os.environ["STATE_TABLE"]

# Reserved words need placeholders, so all attributes have them.
NAMES = {f"#{name}": name for name in ("id", *state_rows.ATTRIBUTES)}
ASSIGNMENTS = ", ".join(f"#{name} = :{name}" for name in state_rows.ATTRIBUTES)


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Store the batch's messages. After any error Lambda delivers the whole batch again."""
    for record in user_records(event["Records"]):
        try:
            message = parse(record.data, schema)
        except BadInputError:
            continue
        store(message)
    return {"batchItemFailures": []}


def store(message: Message) -> None:
    """Write the message unless its version or a newer one is there."""
    row = zip(state_rows.ATTRIBUTES, state_rows.values(message), strict=True)
    try:
        dynamodb.update_item(
            TableName=table,
            Key={"id": {"S": message.id}},
            UpdateExpression=f"SET {ASSIGNMENTS}",
            ConditionExpression="attribute_not_exists(#id) OR #Version < :Version",
            ExpressionAttributeNames=NAMES,
            ExpressionAttributeValues={f":{name}": value for name, value in row},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
