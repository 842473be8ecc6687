"""Builds the answer to a mapping with partial batch responses (`ReportBatchItemFailures`)."""

from collections.abc import Iterable
from typing import Any


class UnnamedFailureError(RuntimeError):
    """A failed record has no sequence number to report, so the whole batch must be delivered again."""


def answer(failed: Iterable[str]) -> dict[str, Any]:
    """Return the response that names the sequence numbers of failed records. Raises UnnamedFailureError.

    Lambda delivers the batch again from the lowest of them on.
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    numbers = sorted(failed, key=lambda number: (len(number), number))
    if numbers and not numbers[0]:
        # Lambda takes an empty name for a failure of the whole batch, too; the error says why.
        raise UnnamedFailureError(
            "a record without a sequence number was not quarantined: see the log's last errors"
        )
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}
