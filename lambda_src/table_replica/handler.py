"""dynamodb-stream-capture-replica: writes the items of a table's stream to another table."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import assumed_role, clients, settings
from leda.aws.telemetry import logger, metrics
from leda.quarantine.bucket import Quarantine
from leda.quarantine.writer import QuarantineWriter
from leda.replica.replica import Marks, Replica
from leda.replica.replication import replicate
from leda.streams import partial_batch

role = settings.optional("REPLICA_ROLE_ARN")
session = assumed_role.session_of(role, settings.function_name()) if role else None
replica = Replica(
    clients.sdk("dynamodb", session=session, region_name=settings.required("REPLICA_REGION")),
    settings.required("REPLICA_TABLE"),
    Marks(settings.required("PLACE_ATTRIBUTE"), settings.required("END_ATTRIBUTE")),
    retention=settings.positive("TOMBSTONE_SECONDS", default=7 * 24 * 3600),
)
writer = QuarantineWriter(Quarantine.from_settings())


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Write the event's changes; return a partial batch response."""
    failed = replicate(event["Records"], event.get("shardId"), replica, writer)
    return partial_batch.answer(failed)
