"""AuditLambda: compares the totals with their source table while both change, and counts what is wrong."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import sdk, settings
from leda.aws.telemetry import count, logger, metrics
from leda.engine.audit import audit, key_names, rows_of_groupings, tables_of
from leda.engine.configuration import Configuration
from leda.engine.registry import CONFIGURATIONS, LIVE, Registry, live_configuration

# A damaged table is not listed whole, an invocation a time; `leda verify` lists it.
LOGGED = 100

dynamodb = boto3.client("dynamodb", config=sdk.CLIENT)
source_table = settings.required("SOURCE_TABLE")
totals_table = settings.required("AGGREGATE_TABLE")
totals_key = settings.optional("TOTALS_KEY") or "Identifier"
registry = Registry(dynamodb, settings.required("REGISTRY_TABLE"))
deployed = Configuration.from_json(settings.required("CONFIGURATION"))
needs_backfill = settings.optional("BACKFILL") == "required"
freshness = settings.positive("FRESHNESS_SECONDS", default=30)
# The most rows that a grouping may have in the totals table before the alarm goes off.
max_totals: Mapping[str, int] = json.loads(settings.optional("MAX_TOTALS") or "{}")


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Audit once; the metric Drift is the number of totals that are wrong, and the log names them."""
    if needs_backfill and registry.get(CONFIGURATIONS, LIVE) is None:
        logger.info("not audited: nothing is counted before the first `leda backfill`")
        return {}
    configuration = live_configuration(registry, deployed)
    counts = _limits(configuration) if max_totals else {}
    if configuration.keeps_expired:
        # No Drift, not even of 0: nobody knows it.
        logger.info(
            "not compared: with on_expiry = keep the table no longer holds what was counted"
        )
    else:
        counts |= _compared(configuration)
    count(**counts)
    logger.info("audited", extra=counts)
    return counts


def _limits(configuration: Configuration) -> dict[str, int]:
    """How many groupings have more totals than they may have; the log names them."""
    rows = rows_of_groupings(dynamodb, totals_table, totals_key, configuration)
    beyond = {name: rows[name] for name, most in max_totals.items() if rows[name] > most}
    for name, found in beyond.items():
        logger.warning(
            "a grouping has more totals than max_totals",
            extra={"grouping": name, "totals": found, "max_totals": max_totals[name]},
        )
    return {"GroupingsOverLimit": len(beyond)}


def _compared(configuration: Configuration) -> dict[str, int]:
    """What the comparison has found; the log names wrong totals and rows that cannot be read."""
    source = source_table, key_names(dynamodb, source_table)
    result = audit(
        tables_of(dynamodb, source, (totals_table, totals_key), configuration), freshness
    )
    wrong = {row.identifier for row in result.wrong}
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
        logger.warning("a row of the source table cannot be read", extra={"row": name})
    return {
        "Drift": len(wrong),
        "InFlight": len({row.identifier for row in result.in_flight} - wrong),
        "Totals": result.totals,
        "Rows": result.expected.rows,
        "UnreadableRows": result.expected.unreadable,
    }
