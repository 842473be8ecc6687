"""Builds the answer to a mapping with partial batch responses (`ReportBatchItemFailures`)."""

from collections.abc import Iterable
from typing import Any


class UnnamedFailureError(RuntimeError):
    """A failed record has no sequence number to report, so the function fails and Lambda delivers the batch again."""


def answer(failed: Iterable[str]) -> dict[str, Any]:
    """Return the answer that names the sequence numbers of failed records. Raises UnnamedFailureError.

    Lambda delivers the batch again from the lowest of these numbers on.
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    numbers = sorted(failed, key=lambda number: (len(number), number))
    if numbers and not numbers[0]:
        # With an empty name in the answer, Lambda would deliver the whole batch again too, but give no reason.
        raise UnnamedFailureError(
            "a record without a sequence number was not quarantined: see the log's last errors"
        )
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}
