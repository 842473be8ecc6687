"""Decides which totals have expired, and so are neither read nor compared."""

from leda.engine.group_by.configuration import Configuration


def has_expired(configuration: Configuration, identifier: str, at: float) -> bool:
    """Whether the total has expired at that time (epoch seconds), by its grouping's `retention_days`.

    Time to live removes its row some time later, and no source row brings it back.
    """
    labels = configuration.labels(identifier)
    return labels is not None and labels.expires is not None and labels.expires <= at
