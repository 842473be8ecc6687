"""fnCreateVendorOrder: makes vendor orders for parts whose stock is low. fnReadStream invokes it."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import count, logger, metrics
from leda.quarantine.bad_records import from_table_stream
from leda.quarantine.bucket import Quarantine
from leda.quarantine.writer import QuarantineWriter
from leda.shop.stock.restocking import Restocking
from leda.streams import stream_records

restocking = Restocking(clients.sdk("dynamodb"), settings.required("SHOP_TABLE"))
writer = QuarantineWriter(Quarantine.from_settings())


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Make the vendor orders that the event's parts need. Raises NotQuarantinedError."""
    batch = stream_records.read(event["Records"])
    rejected = restocking.make(batch.records)
    shard = event.get("shardId")
    bad = [from_table_stream(each.raw, each.reason, shard) for each in batch.unreadable]
    bad += [from_table_stream(each.record.raw, each.reason, shard) for each in rejected]
    failed = writer.put(bad)
    count(Records=len(event["Records"]), Quarantined=len(bad) - len(failed))
    writer.require(failed)
