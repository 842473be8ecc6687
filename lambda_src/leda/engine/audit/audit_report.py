"""Reports an audit: logs each wrong total, and returns the metrics that the alarms watch."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from leda.aws.telemetry import logger
from leda.engine.audit.audit import Audit
from leda.engine.audit.totals_table import rows_of_groupings
from leda.engine.group_by.configuration import Configuration

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The most wrong totals in the log of an invocation; `leda verify` lists all.
LOGGED = 100


def over_limit(
    client: "DynamoDBClient",
    table: str,
    key: str,
    configuration: Configuration,
    max_totals: Mapping[str, int],
) -> dict[str, int]:
    """Return the metric GroupingsOverLimit: the number of groupings with more rows than `max_totals` allows."""
    rows = rows_of_groupings(client, table, key, configuration)
    beyond = {name: rows[name] for name, most in max_totals.items() if rows[name] > most}
    for name, found in beyond.items():
        logger.warning(
            "a grouping has more totals than max_totals",
            extra={"grouping": name, "totals": found, "max_totals": max_totals[name]},
        )
    return {"GroupingsOverLimit": len(beyond)}


def drift(result: Audit) -> dict[str, int]:
    """Return the metrics of an audit, and log wrong totals and rows that cannot be read."""
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
