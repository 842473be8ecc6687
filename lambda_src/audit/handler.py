"""AuditLambda: compares AggregateTable with StateTable while the pipeline runs, and counts what is wrong."""

from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda import sdk, settings
from leda.audit import audit, read_state, read_totals
from leda.telemetry import count, logger, metrics

# A damaged table is not listed whole, an invocation a time; `leda verify` lists it.
LOGGED = 100

dynamodb = boto3.client("dynamodb", config=sdk.CLIENT)
expected = partial(read_state, dynamodb, settings.required("STATE_TABLE"))
found = partial(read_totals, dynamodb, settings.required("AGGREGATE_TABLE"))
freshness = settings.positive("FRESHNESS_SECONDS", default=30)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Audit once; the metric Drift is the number of totals that are wrong, and the log names them."""
    result = audit(expected, found, freshness)
    counts = {
        "Drift": len(result.wrong),
        "InFlight": len(result.in_flight),
        "Totals": result.totals,
        "Rows": result.expected.rows,
        "UnreadableRows": result.expected.unreadable,
    }
    count(**counts)
    for row in result.wrong[:LOGGED]:
        logger.error(
            "a total is wrong",
            extra={
                "identifier": row.identifier,
                "expected": f"{row.expected:f}",
                "lowest": f"{row.lowest:f}",
                "highest": f"{row.highest:f}",
                "off": f"{row.off:+f}",
            },
        )
    for name in result.expected.named:
        logger.warning("a row of StateTable cannot be read", extra={"row": name})
    logger.info("audited", extra=counts)
    return counts
