"""AuditLambda: compares the totals with their source table while both change, and counts the wrong totals."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import count, logger, metrics
from leda.engine.audit import audit_report
from leda.engine.audit.audit import audit, tables_of
from leda.engine.audit.row_keys import key_names
from leda.engine.group_by.configuration import Configuration
from leda.engine.registry import CONFIGURATIONS, LIVE, Registry, live_configuration

dynamodb = clients.sdk("dynamodb")
source_table = settings.required("SOURCE_TABLE")
totals = settings.required("AGGREGATE_TABLE"), settings.optional("TOTALS_KEY") or "Identifier"
registry = Registry(dynamodb, settings.required("REGISTRY_TABLE"))
deployed = Configuration.from_json(settings.required("CONFIGURATION"))
needs_backfill = settings.optional("BACKFILL") == "required"
freshness = settings.positive("FRESHNESS_SECONDS", default=30)
# The most rows that a grouping may have in the totals table before the alarm goes off.
max_totals = settings.positive_by_name("MAX_TOTALS")


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Audit once; the metric Drift is the number of totals that are wrong, and the log names them."""
    if needs_backfill and registry.get(CONFIGURATIONS, LIVE) is None:
        logger.info("not audited: nothing is counted before the first `leda backfill`")
        return {}
    live = live_configuration(registry, deployed)
    counts = audit_report.over_limit(dynamodb, *totals, live, max_totals) if max_totals else {}
    if live.keeps_expired:
        # The metric Drift is not written, because it is unknown.
        logger.info(
            "not compared: with on_expiry = keep the table no longer holds what was counted"
        )
    else:
        source = source_table, key_names(dynamodb, source_table)
        counts |= audit_report.drift(audit(tables_of(dynamodb, source, totals, live), freshness))
    count(**counts)
    logger.info("audited", extra=counts)
    return counts
