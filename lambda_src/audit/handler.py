"""AuditLambda: compares AggregateTable with StateTable while the pipeline runs, and counts what is wrong."""

from decimal import Decimal
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda import sdk, settings
from leda.audit import Tables, audit, read_state, read_totals
from leda.engine.configuration import Configuration
from leda.engine.registry import Registry, live_configuration
from leda.telemetry import count, logger, metrics

# A damaged table is not listed whole, an invocation a time; `leda verify` lists it.
LOGGED = 100

dynamodb = boto3.client("dynamodb", config=sdk.CLIENT)
state_table = settings.required("STATE_TABLE")
aggregate_table = settings.required("AGGREGATE_TABLE")
registry = Registry(dynamodb, settings.required("REGISTRY_TABLE"))
deployed = Configuration.from_json(settings.required("CONFIGURATION"))
freshness = settings.positive("FRESHNESS_SECONDS", default=30)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Audit once; the metric Drift is the number of totals that are wrong, and the log names them."""
    configuration = live_configuration(registry, deployed)
    tables = Tables(
        configuration.names,
        lambda: read_state(dynamodb, state_table, configuration),
        lambda: read_totals(dynamodb, aggregate_table, configuration.names),
    )
    result = audit(tables, freshness)
    wrong = {row.identifier for row in result.wrong}
    counts = {
        "Drift": len(wrong),
        "InFlight": len({row.identifier for row in result.in_flight} - wrong),
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
                "measure": row.measure,
                "expected": f"{Decimal(row.expected):f}",
                "lowest": f"{Decimal(row.lowest):f}",
                "highest": f"{Decimal(row.highest):f}",
                "off": f"{row.off:+f}",
            },
        )
    for name in result.expected.named:
        logger.warning("a row of StateTable cannot be read", extra={"row": name})
    logger.info("audited", extra=counts)
    return counts
