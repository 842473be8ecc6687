"""AWS's list prices of a Region, from a dated table (`prices.toml`) that a user can replace."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from leda_cli.base.errors import LedaError

TABLE = Path(__file__).with_name("prices.toml")
HOURS_OF_A_MONTH = 730
SECONDS_OF_A_MONTH = HOURS_OF_A_MONTH * 3600


@dataclass(frozen=True, slots=True)
class Service:
    """Prices of a service in US dollars; `page` has them, and `read` says from which record and on which day."""

    page: str
    read: str


@dataclass(frozen=True, slots=True)
class Lambda(Service):
    """`gb_second_tiers`: (number of GB-seconds a month at which the tier ends, price of each); 0: no end."""

    per_million_requests: float
    gb_second_tiers: list[list[float]]


@dataclass(frozen=True, slots=True)
class DynamoDB(Service):
    """Units, capacity by the hour, storage."""

    per_million_write_units: float
    per_million_read_units: float
    write_capacity_hour: float
    read_capacity_hour: float
    gb_month: float
    point_in_time_recovery_gb_month: float


@dataclass(frozen=True, slots=True)
class Kinesis(Service):
    """Shards and puts of provisioned streams, streams on demand, retention."""

    shard_hour: float
    per_million_put_units: float
    extended_retention_shard_hour: float
    extended_retention_gb_month: float
    long_retention_gb_month: float
    on_demand_stream_hour: float
    on_demand_gb_in: float
    on_demand_gb_out: float


@dataclass(frozen=True, slots=True)
class CloudWatch(Service):
    """Logs, metrics, alarms, the dashboard."""

    log_gb_in: float
    log_gb_month: float
    metric_month: float
    alarm_month: float
    dashboard_month: float


@dataclass(frozen=True, slots=True)
class S3(Service):
    """Puts and storage."""

    per_thousand_puts: float
    gb_month: float


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one Region."""

    region: str
    name: str
    lambda_: Lambda
    dynamodb: DynamoDB
    kinesis: Kinesis
    cloudwatch: CloudWatch
    s3: S3

    @property
    def sources(self) -> dict[str, str]:
        """Each service's page and the record its figures were read from."""
        services = (self.lambda_, self.dynamodb, self.kinesis, self.cloudwatch, self.s3)
        return {type(each).__name__: f"{each.page} ({each.read})" for each in services}


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
        region,
        str(given.get("name", region)),
        _read(Lambda, given, "lambda", table),
        _read(DynamoDB, given, "dynamodb", table),
        _read(Kinesis, given, "kinesis", table),
        _read(CloudWatch, given, "cloudwatch", table),
        _read(S3, given, "s3", table),
    )


T = TypeVar("T", bound=Service)


def _read(kind: type[T], region: dict[str, Any], name: str, table: Path) -> T:
    given = region.get(name, {})
    wanted = {field.name for field in fields(kind)}
    if missing := sorted(wanted - set(given)):
        raise LedaError(
            f"{table.name} lacks {', '.join(missing)} of {name}", f"{TABLE} has them all"
        )
    if unknown := sorted(set(given) - wanted):
        raise LedaError(
            f"{table.name} has {', '.join(unknown)} of {name}, which nothing reads", f"see {TABLE}"
        )
    return kind(**given)
