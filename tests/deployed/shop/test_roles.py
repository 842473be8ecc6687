"""The roles of the shop's functions allow what the other tests did: MiniStack enforces IAM policies.

This file runs after the other tests and reads the functions' logs.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from leda_cli.demos.shop_client import Shop
from support.live_aws import wait_for

REFUSED = "is not authorized to perform"
# MiniStack refuses these by mistake until the start of the stack has corrected the policies.
MISTAKES = (
    f"{REFUSED}: dynamodb:DescribeStream",
    f"{REFUSED}: lambda:ListEventSourceMappings",
)


def refusals(shop: Shop, package: str) -> list[str]:
    """The messages about refused permissions in a function's log."""
    group = shop.aws.outputs["functions"][package]["log_group_name"]
    pages = shop.aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    messages = [event["message"] for page in pages for event in page["events"]]
    return [
        message
        for message in messages
        if REFUSED in message and not any(mistake in message for mistake in MISTAKES)
    ]


@contextmanager
def without_policy(shop: Shop, role: str) -> Iterator[None]:
    """Remove all policies of a role for the block."""
    iam = shop.aws.client("iam")
    policies = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    assert policies
    for name in policies:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        yield
    finally:
        for name, document in policies.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def test_no_function_was_refused_a_permission(shop: Shop) -> None:
    # A schedule invokes these, which may not have happened yet.
    for package in ("check_totals", "audit_totals", "expire_orders"):
        answer = shop.aws.client("lambda").invoke(FunctionName=shop.function(package))
        assert "FunctionError" not in answer, answer["Payload"].read()
    found = {package: refusals(shop, package) for package in shop.aws.outputs["functions"]}
    assert {package: lines for package, lines in found.items() if lines} == {}


def test_a_function_without_its_policy_fails(shop: Shop) -> None:
    assert shop.customers.get("products").status == 200

    with without_policy(shop, shop.aws.outputs["functions"]["storefront"]["role_name"]):
        assert shop.customers.get("products").status == 500
        wait_for("the refusal in the log", lambda: refusals(shop, "storefront"))

    assert shop.customers.get("products").status == 200
