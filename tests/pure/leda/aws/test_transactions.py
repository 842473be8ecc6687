"""The verdict on each answer of DynamoDB to a transaction."""

import pytest

from leda.aws.transactions import Verdict, verdict
from simulation.failures import cancelled, client_error


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["ConditionalCheckFailed", "None"], Verdict.MOVED),
        (["None", "ConditionalCheckFailed"], Verdict.MOVED),
        (["ConditionalCheckFailed", "TransactionConflict"], Verdict.MOVED),
        (["ConditionalCheckFailed", "ValidationError"], Verdict.MOVED),
        (["None", "TransactionConflict"], Verdict.BUSY),
        (["ThrottlingError"], Verdict.BUSY),
        (["ProvisionedThroughputExceeded"], Verdict.BUSY),
        (["TransactionConflict", "ValidationError"], Verdict.BUSY),
        (["None", "ValidationError"], Verdict.REFUSED),
        (["ItemCollectionSizeLimitExceeded"], Verdict.REFUSED),
        (["None", "None"], Verdict.BUSY),
        ([], Verdict.BUSY),
        (["SomethingNew"], Verdict.FATAL),
    ],
)
def test_the_verdict_on_a_cancelled_transaction(codes: list[str], expected: Verdict) -> None:
    assert verdict(cancelled(*codes)) is expected


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("TransactionConflictException", 400, Verdict.BUSY),
        ("TransactionInProgressException", 400, Verdict.BUSY),
        ("ThrottlingException", 400, Verdict.BUSY),
        ("ProvisionedThroughputExceededException", 400, Verdict.BUSY),
        ("RequestLimitExceeded", 400, Verdict.BUSY),
        ("ValidationException", 400, Verdict.REFUSED),
        ("InternalServerError", 500, Verdict.UNKNOWN),
        ("ServiceUnavailable", 503, Verdict.UNKNOWN),
        ("AccessDeniedException", 400, Verdict.FATAL),
        ("ResourceNotFoundException", 400, Verdict.FATAL),
        ("IdempotentParameterMismatchException", 400, Verdict.FATAL),
        ("ExpiredTokenException", 400, Verdict.FATAL),
    ],
)
def test_the_verdict_on_another_error(code: str, status: int, expected: Verdict) -> None:
    assert verdict(client_error(code, status)) is expected
