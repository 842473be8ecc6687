"""Checks that the account's concurrency lets the functions run for every shard at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leda_cli.operate.prove.findings import Finding, advice, wrong


def concurrency(
    settings: Mapping[str, Any], wanted: Mapping[str, int], reserved: Mapping[str, int]
) -> Iterator[Finding]:
    """Compare the concurrent executions that the functions may need with what the account has.

    settings: GetAccountSettings' answer. wanted: how many executions each function may need: a shard needs one, or as
    many as its parallelization factor. reserved: each function's reserved concurrency, where it has one.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
    """
    for function, limit in reserved.items():
        if limit == 0:
            yield wrong(
                f"{function} has a reserved concurrency of 0: it never runs",
                "remove it (`reserved_concurrency`)",
            )
        elif limit < wanted.get(function, 0):
            yield advice(
                f"{function} has a reserved concurrency of {limit} and may need {wanted[function]} executions at once",
                f"raise `reserved_concurrency` to {wanted[function]}, or remove it",
            )
    limits = settings["AccountLimit"]
    needed = sum(count for function, count in wanted.items() if function not in reserved)
    free = limits["UnreservedConcurrentExecutions"]
    if free < needed:
        yield advice(
            f"the functions may need {needed} executions at once, and {free} of the account's "
            f"{limits['ConcurrentExecutions']} are not reserved",
            "ask for a higher quota (Service Quotas, Lambda, Concurrent executions)",
        )
