"""fnCreateVendorOrder: from the changes of parts, which fnReadStream hands on, to vendor orders for what runs low."""

from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import sdk, settings
from leda.aws.telemetry import count, logger, metrics
from leda.quarantine.writer import NotPutAsideError, PutAside
from leda.shop.stock.restocking import Restocking
from leda.streams import stream_records
from leda.streams.stream_batch import bad_record

dynamodb = boto3.client("dynamodb", config=sdk.CLIENT)
restocking = Restocking(dynamodb, settings.required("SHOP_TABLE"))
put_aside = PutAside.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Make the vendor orders that the event's parts want, each once."""
    batch = stream_records.read(event["Records"])
    rejected = restocking.make(batch.records)
    shard = event.get("shardId")
    bad = [bad_record(each.raw, each.reason, shard) for each in batch.unreadable]
    bad += [bad_record(each.record.raw, each.reason, shard) for each in rejected]
    failed = put_aside.put(bad)
    count(Records=len(event["Records"]), Quarantined=len(bad) - len(failed))
    if failed:
        raise NotPutAsideError(
            f"{len(failed)} records were not put aside: see the log's last errors"
        )
