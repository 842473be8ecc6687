"""fnWriteFirehose: sends a line for each change to the data lake, at least once. fnReadStream invokes it."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import count, logger, metrics
from leda.quarantine.bad_records import from_table_stream
from leda.quarantine.bucket import Quarantine
from leda.quarantine.writer import QuarantineWriter
from leda.shop.stream import lake_lines
from leda.shop.stream.delivery import Delivery

delivery = Delivery(clients.sdk("firehose"), settings.required("DELIVERY_STREAM"))
writer = QuarantineWriter(Quarantine.from_settings())


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Send a line for each change. Raises NotDeliveredError, or NotQuarantinedError."""
    lines, unreadable = lake_lines.lines(event["Records"])
    delivery.send(lines)
    shard = event.get("shardId")
    bad = [from_table_stream(each.raw, each.reason, shard) for each in unreadable]
    failed = writer.put(bad)
    quarantined = len(bad) - len(failed)
    count(Records=len(event["Records"]), Delivered=len(lines), Quarantined=quarantined)
    logger.info("delivered", extra={"lines": len(lines), "quarantined": quarantined})
    writer.require(failed)
