"""dynamodb-stream-capture: logs, counts and publishes each change of a table's stream."""

import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import count, logger, metrics
from leda.capture import patterns
from leda.capture.capture import Capture
from leda.capture.notifications import CALL_LIMITS, Notifications
from leda.quarantine.bucket import Quarantine
from leda.quarantine.writer import QuarantineWriter
from leda.streams import partial_batch

hidden = frozenset(json.loads(settings.optional("REDACTED_ATTRIBUTES") or "[]"))
topic = settings.optional("TOPIC_ARN")
notifications = (
    Notifications(
        clients.sdk("sns", CALL_LIMITS),
        topic,
        patterns.parse(settings.optional("NOTIFY_PATTERNS") or "[]"),
        hidden,
    )
    if topic
    else None
)
function = settings.function_name()
counted_by = function if settings.optional("COUNT_CHANGES") else None
capture = Capture(QuarantineWriter(Quarantine.from_settings()), hidden, notifications, counted_by)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Capture the event's changes; return a partial batch response."""
    report = capture.process(event["Records"], event.get("shardId"))
    count(
        Records=len(event["Records"]),
        Notified=report.notified,
        Quarantined=report.quarantined,
    )
    return partial_batch.answer(report.failed)
