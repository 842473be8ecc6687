"""Structured logs and metrics, by Powertools for AWS Lambda; metrics are log lines (EMF), not network calls.

The service's name, the metrics' namespace and the log level come from the environment.
https://docs.powertools.aws.dev/lambda/python/latest/core/metrics/
"""

import time
from decimal import Decimal

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from leda.aws import settings

logger = Logger()
metrics = Metrics()
# Two pipelines of one account differ in their functions' names.
metrics.set_default_dimensions(function_name=settings.function_name())


def count(**counts: int) -> None:
    """Add to the invocation's counts: Records, Duplicates, StaleVersions, Quarantined, Waiting, DeltasApplied."""
    for name, value in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def gigabytes(**values: float) -> None:
    """Report sizes in gigabytes: LaneGigabytes."""
    for name, value in values.items():
        metrics.add_metric(name=name, unit=MetricUnit.Gigabytes, value=value)


def lag(oldest: Decimal | None) -> None:
    """The milliseconds from a message's Timestamp (epoch seconds) until now, when its total is committed."""
    if oldest is not None:
        milliseconds = max(0.0, (time.time() - float(oldest)) * 1000)
        metrics.add_metric(name="Lag", unit=MetricUnit.Milliseconds, value=milliseconds)
