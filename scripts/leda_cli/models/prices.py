"""AWS's list prices of a Region, from a dated table (`prices.toml`) that a user can replace."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from leda_cli.base.errors import LedaError

TABLE = Path(__file__).with_name("prices.toml")
HOURS_OF_A_MONTH = 730
SECONDS_OF_A_MONTH = HOURS_OF_A_MONTH * 3600


SERVICES = {
    "lambda": "Lambda",
    "dynamodb": "DynamoDB",
    "kinesis": "Kinesis",
    "cloudwatch": "CloudWatch",
}


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one Region in US dollars: those of each service by their names in prices.toml.

    A service's `page` has its prices, and `read` says from which record and on which day.
    """

    region: str
    name: str
    lambda_: Any
    dynamodb: Any
    kinesis: Any
    cloudwatch: Any

    @property
    def sources(self) -> dict[str, str]:
        """Each service's page and the record its figures were read from."""
        services = (self.lambda_, self.dynamodb, self.kinesis, self.cloudwatch)
        return {
            name: f"{each.page} ({each.read})"
            for name, each in zip(SERVICES.values(), services, strict=True)
        }


def of_region(region: str, table: Path = TABLE) -> Prices:
    """The prices of a Region. Raises LedaError where the table lacks it or one of its prices."""
    try:
        regions = tomllib.loads(table.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LedaError(f"{table} is not a table of prices: {error}", f"see {TABLE}") from error
    if region not in regions:
        raise LedaError(
            f"{table.name} has no prices of {region}, only of {', '.join(regions)}",
            f"copy {TABLE}, fill in the Region from AWS's pages, and name the file with --prices",
        )
    given = regions[region]
    return Prices(
        region, str(given.get("name", region)), *(_read(given, name, table) for name in SERVICES)
    )


def _read(region: dict[str, Any], service: str, table: Path) -> SimpleNamespace:
    """The prices of a service. Raises LedaError unless they have the names of LEDA's own table."""
    own = next(iter(tomllib.loads(TABLE.read_text(encoding="utf-8")).values()))
    given, wanted = region.get(service, {}), own[service].keys()
    if missing := sorted(wanted - given.keys()):
        raise LedaError(
            f"{table.name} lacks {', '.join(missing)} of {service}", f"{TABLE} has them all"
        )
    if unknown := sorted(given.keys() - wanted):
        raise LedaError(
            f"{table.name} has {', '.join(unknown)} of {service}, which nothing reads",
            f"see {TABLE}",
        )
    return SimpleNamespace(**given)
