"""What the shop's functions may do: the emulator enforces their roles, so what the other tests saw, the roles allow.

Comes after them, and looks at what they did.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from leda_cli.demos.shop_client import Shop
from support.live_aws import wait_for

REFUSED = "is not authorized to perform"
# What MiniStack refuses by mistake until the harness has lifted it: the apply itself makes the first products.
MISTAKE = f"{REFUSED}: dynamodb:DescribeStream"


def refusals(shop: Shop, package: str) -> list[str]:
    """What a function's log tells of refusals, in its own lines or in those of the runtime."""
    group = shop.aws.outputs["functions"][package]["log_group_name"]
    pages = shop.aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    messages = [event["message"] for page in pages for event in page["events"]]
    return [message for message in messages if REFUSED in message and MISTAKE not in message]


@contextmanager
def without_policy(shop: Shop, role: str) -> Iterator[None]:
    """A role that may do nothing, for a while."""
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
    found = {package: refusals(shop, package) for package in shop.aws.outputs["functions"]}
    assert {package: lines for package, lines in found.items() if lines} == {}


def test_a_function_without_its_policy_fails(shop: Shop) -> None:
    assert shop.customers.get("products").status == 200

    with without_policy(shop, shop.aws.outputs["functions"]["storefront"]["role_name"]):
        assert shop.customers.get("products").status == 500
        wait_for("the refusal in the log", lambda: refusals(shop, "storefront"))

    assert shop.customers.get("products").status == 200
