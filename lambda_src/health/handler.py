"""HealthLambda: checks on a schedule for an open rebuild, disabled mappings, and streams that are not settled."""

import json
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import count, logger, metrics
from leda.engine.audit import health
from leda.engine.registry import Registry, Stage

dynamodb = clients.sdk("dynamodb")
lambda_client = clients.sdk("lambda")
registry = Registry(dynamodb, settings.required("REGISTRY_TABLE"))
mappings: dict[str, str] = json.loads(settings.required("MAPPINGS"))
stood_still_seconds: dict[str, float] = json.loads(settings.required("STOOD_STILL_SECONDS"))
tables: dict[Stage, str] = json.loads(settings.required("TABLES"))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Check once; each metric counts the faults of a kind, and the log names them."""
    found = health.check(registry, dynamodb, lambda_client, mappings, tables)
    stood_still = found.stood_still(stood_still_seconds, datetime.now(UTC))
    # A value of 0 is not written, because it would end the alarm, which an operator must do.
    counts = found.counts | ({"StoodStill": len(stood_still)} if stood_still else {})
    count(**counts)
    if any(counts.values()):
        logger.warning(
            "something is wrong",
            extra={
                "mappings_off": found.mappings_off,
                "stood_still": stood_still,
                "streams_not_settled": found.streams_not_settled,
                **counts,
            },
        )
    else:
        logger.info("nothing is wrong", extra=counts)
    return counts
