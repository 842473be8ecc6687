"""Structured logs and metrics with Powertools for AWS Lambda. Metrics are log lines (EMF), not network calls.

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
# The functions of two pipelines in one account have different names.
metrics.set_default_dimensions(function_name=settings.function_name())


def count(**counts: int) -> None:
    """Add metrics to the invocation's, by name: counts such as Records and Quarantined."""
    for name, value in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def gigabytes(**values: float) -> None:
    """Add metrics to the invocation's, by name: sizes in gigabytes."""
    for name, value in values.items():
        metrics.add_metric(name=name, unit=MetricUnit.Gigabytes, value=value)


def lag(oldest: Decimal | None) -> None:
    """Add the metric Lag: the milliseconds from `oldest` (epoch seconds) until now. Without a time, add nothing."""
    if oldest is not None:
        milliseconds = max(0.0, (time.time() - float(oldest)) * 1000)
        metrics.add_metric(name="Lag", unit=MetricUnit.Milliseconds, value=milliseconds)
