"""Checks that the functions' roles have the rights that the functions need, with IAM's policy simulator.

The simulator also takes permissions boundaries and the organization's policies into account.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leda_cli.operate.prove.findings import Finding, wrong

_READ_KINESIS = (
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
)
_READ_TABLE_STREAM = (
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
)


@dataclass(frozen=True, slots=True)
class Rights:
    """Actions on one resource."""

    resource: str
    actions: tuple[str, ...]


def of_every_function(function: str, bucket: str, log_group: str) -> list[Rights]:
    """Logs, the quarantine, and the failure destination, to which Lambda writes with the function's role."""
    return [
        Rights(f"{log_group}:log-stream:*", ("logs:CreateLogStream", "logs:PutLogEvents")),
        Rights(f"{bucket}/{function}/*", ("s3:PutObject",)),
        Rights(f"{bucket}/aws/lambda/*", ("s3:PutObject",)),
        Rights(bucket, ("s3:ListBucket",)),
    ]


def of_state(stream: str, state_table: str) -> list[Rights]:
    """What State needs in addition."""
    return [
        Rights(stream, _READ_KINESIS),
        Rights(
            state_table,
            ("dynamodb:BatchGetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"),
        ),
    ]


def of_map(stream: str, reduce_table: str, registry_table: str) -> list[Rights]:
    """What Map needs in addition."""
    return [
        Rights(stream, _READ_TABLE_STREAM),
        Rights(reduce_table, ("dynamodb:PutItem",)),
        Rights(registry_table, ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query")),
    ]


def of_reduce(stream: str, totals_table: str, registry_table: str) -> list[Rights]:
    """What Reduce needs in addition."""
    return [
        Rights(stream, _READ_TABLE_STREAM),
        Rights(
            totals_table, ("dynamodb:GetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate")
        ),
        Rights(
            registry_table,
            ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        ),
    ]


def denied(iam: Any, role: str, needed: Iterable[Rights]) -> Iterator[tuple[str, str]]:
    """The actions that the role is not allowed, each with its resource. Raises the client's error."""
    for each in needed:
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=list(each.actions), ResourceArns=[each.resource]
        )
        for result in answer["EvaluationResults"]:
            if result["EvalDecision"] != "allowed":
                yield result["EvalActionName"], each.resource


def too_few(iam: Any, roles: Mapping[str, tuple[str, list[Rights]]]) -> Iterator[Finding]:
    """The rights that functions lack; `roles` has each function's role (ARN) and the rights that it needs."""
    for function, (role, needed) in roles.items():
        for action, resource in denied(iam, role, needed):
            yield wrong(
                f"the role of {function} may not {action} on {resource}",
                "run `terraform apply`; if the role's policy allows it, a permissions boundary or a policy of the "
                "organization denies it",
            )
