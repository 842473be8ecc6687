"""Units and dollars an hour at the present rate.

The rate, the share of duplicates and the size of a message are those of the last minute. The cost model (`leda cost`)
computes what each service charges at that rate, with write units from running LEDA's own code. On an account, the
tables' units are those that CloudWatch counted in the last whole minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from leda_cli.console.site import Site
from leda_cli.models import prices as price_table
from leda_cli.models.cost_model import Bill, bill
from leda_cli.models.load_model import Settings, Workload, load
from leda_cli.models.measured import ServiceTimes, service_times
from leda_cli.models.prices import HOURS_OF_A_MONTH, Prices

LOCAL_REGION = "us-east-1"
LOWEST_RATE = 0.001
# Each mix of messages needs a run of LEDA's code in memory, so the share of duplicates is rounded to few steps.
DUPLICATE_STEPS = 10
MOST_DUPLICATES = 0.9
DYNAMODB = "DynamoDB"


@dataclass(frozen=True, slots=True)
class Rate:
    """The present load: messages a second, the share of duplicates, bytes of a message (None: not known)."""

    messages: float
    duplicates: float = 0.0
    message_bytes: float | None = None

    @classmethod
    def of(cls, rates: Mapping[str, float], message_bytes: float | None) -> Rate:
        """The rate from figures a second, whose names are `<stage>.<figure>`."""
        messages = rates.get("stream.records", 0.0)
        again = rates.get("state.duplicates", 0.0) + rates.get("state.stale", 0.0)
        return cls(
            messages, min(again / messages, MOST_DUPLICATES) if messages else 0.0, message_bytes
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars an hour by service, write and read units an hour, and where these were counted."""

    rate: Rate
    region: str
    services: Mapping[str, float]
    write_units: float
    read_units: float | None
    units_from: str
    sources: Mapping[str, str]

    @property
    def dollars(self) -> float:
        """All services together."""
        return sum(self.services.values())


class Costs:
    """Computes the cost of a pipeline."""

    def __init__(self, site: Site) -> None:
        self._region = LOCAL_REGION if site.is_local else site.account.dynamodb.meta.region_name
        self._times: ServiceTimes = service_times()
        self._tables = () if site.is_local else site.tables

    def of(self, rate: Rate, minute: Mapping[str, float]) -> Cost:
        """The cost of a rate; `minute` holds what CloudWatch has counted, a second.

        Raises LedaError where the table of prices does not have the Region.
        """
        prices = price_table.of_region(self._region)
        share = round(rate.duplicates * DUPLICATE_STEPS) / DUPLICATE_STEPS
        workload = Workload(max(rate.messages, LOWEST_RATE), duplicates=min(share, MOST_DUPLICATES))
        if rate.message_bytes:
            workload = replace(workload, message_bytes=max(1, round(rate.message_bytes)))
        found = load(workload, Settings(), self._times)
        services = {
            name: dollars / HOURS_OF_A_MONTH
            for name, dollars in bill(found, prices).by_service().items()
        }
        units = found.write_units * 3600
        if not self._tables:
            counted_by = "counted in LEDA’s own code at this rate, as leda cost does"
            return Cost(rate, prices.name, services, units, None, counted_by, prices.sources)
        writes = 3600 * sum(minute.get(f"{each}.write_units", 0.0) for each in self._tables)
        reads = 3600 * sum(minute.get(f"{each}.read_units", 0.0) for each in self._tables)
        services[DYNAMODB] = _stored(bill(found, prices)) + _units(writes, reads, prices)
        return Cost(
            rate,
            prices.name,
            services,
            writes,
            reads,
            "CloudWatch, the last minute",
            prices.sources,
        )


def _units(writes: float, reads: float, prices: Prices) -> float:
    price = prices.dynamodb
    dollars: float = writes * price.per_million_write_units + reads * price.per_million_read_units
    return dollars / 1e6


def _stored(monthly: Bill) -> float:
    """Dollars an hour that DynamoDB charges for storage, which is everything but units."""
    found = sum(
        line.dollars
        for line in monthly.lines
        if line.service == DYNAMODB and not line.unit.endswith("units")
    )
    return found / HOURS_OF_A_MONTH
