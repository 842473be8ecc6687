"""The usual hand-written aggregator: an unconditional ADD for each total and record, with batch item failures.

Samples show it for counters over a table's stream
(https://docs.powertools.aws.dev/lambda/python/latest/utilities/batch/ processes the batch). Which totals a row counts
in, and how much it adds, is computed by LEDA's code, so that every wrong total comes from the retries.
"""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from leda.aws import clients
from leda.engine.group_by.configuration import Configuration, Contribution
from leda.streams import changes, stream_records

dynamodb: Any = clients.sdk("dynamodb")
processor = BatchProcessor(
    event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False
)
table, key = os.environ["AGGREGATE_TABLE"], os.environ["TOTALS_KEY"]
configuration = Configuration.from_json(os.environ["CONFIGURATION"])


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Add each record. Lambda delivers the first failed record and all later ones again.

    The last event of a tumbling window has no records, which the processor refuses.
    """
    state = {"state": event.get("state") or {}}
    if not event["Records"]:
        return state
    return {**process_partial_response(event, add, processor, context), **state}


def add(record: DynamoDBRecord) -> None:
    """Subtract the record's old image from its totals, and add the new one, with one write for each total."""
    old, new, _ = changes.read(
        stream_records.read_one(record.raw_event),
        configuration.contribution,
        keeps_expired=configuration.keeps_expired,
    )
    if old is not None:
        add_to_totals(old.negated())
    if new is not None:
        add_to_totals(new)


def add_to_totals(contribution: Contribution) -> None:
    """Write each total of the contribution."""
    for leaf in contribution.leaves:
        for node in configuration.nodes(leaf):
            names = configuration.names
            dynamodb.update_item(
                TableName=table,
                Key={key: {"S": node}},
                UpdateExpression="ADD " + ", ".join(f"#{name} :{name}" for name in names),
                ExpressionAttributeNames={f"#{name}": name for name in names},
                ExpressionAttributeValues={
                    f":{name}": {"N": str(amount)}
                    for name, amount in zip(names, contribution.amounts, strict=True)
                },
            )
