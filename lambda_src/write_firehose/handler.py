"""fnWriteFirehose: from the changes that fnReadStream hands on to lines in the data lake, each at least once."""

from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import sdk, settings
from leda.aws.telemetry import count, logger, metrics
from leda.quarantine.writer import PutAside
from leda.shop.stream import lake_lines
from leda.shop.stream.delivery import Delivery, NotDeliveredError
from leda.streams.item_changes import UnreadableChangeError
from leda.streams.stream_batch import bad_record

firehose = boto3.client("firehose", config=sdk.CLIENT)
delivery = Delivery(firehose, settings.required("DELIVERY_STREAM"))
put_aside = PutAside.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Send a line for each change. Raises NotDeliveredError where a line is neither sent nor put aside."""
    lines, bad = [], []
    for raw in event["Records"]:
        if not lake_lines.is_wanted(raw):
            continue
        try:
            lines.append(lake_lines.line(raw))
        except UnreadableChangeError as error:
            bad.append(bad_record(raw, str(error), event.get("shardId")))
    delivery.send(lines)
    failed = put_aside.put(bad)
    count(Records=len(event["Records"]), Delivered=len(lines), Quarantined=len(bad) - len(failed))
    logger.info("delivered", extra={"lines": len(lines), "quarantined": len(bad) - len(failed)})
    if failed:
        raise NotDeliveredError(
            f"{len(failed)} records were not put aside: see the log's last errors"
        )
