"""The simulation of the shop plays all actions and finds faults: with each mutation built in, something is wrong."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from leda.shop.http.ordering import Ordering
from leda.shop.orders import orders
from leda.shop.stock import parts, restocking
from leda.shop.stock.restocking import Restocking
from leda.shop.stream.fan_out import FanOut, NotDoneError
from leda.streams.stream_records import Image
from simulation.runs import plan, run
from support.mutations import finds_each_mutation

# Without a mutation all of these pass (test_simulation plays them).
SEEDS = range(1, 151)

Patch = pytest.MonkeyPatch


def test_all_actions_of_the_shop_happen() -> None:
    counts: Counter[str] = Counter()
    for seed in range(1, 61):
        counts += run(plan(seed, system="shop")).counts

    for kind in (
        *("POST /orders: 201", "POST /orders: 200", "POST /orders: 409", "POST /orders: 503"),
        *("POST /admin/orders/{id}/ship: 200", "POST /admin/vendor-orders/{id}/receive: 200"),
        *("POST /admin/orders/{id}/pay: 200", "POST /admin/vendor-orders/{id}/cancel: 200"),
        *("records that Firehose refused", "function errors: NotDoneError", "timeouts"),
        "orders that have expired",
    ):
        assert counts[kind] > 0, kind


def a_part_that_was_made_again_keeps_the_number_that_it_is_made_with(patch: Patch) -> None:
    def keeps(_self: Restocking, part: parts.Part) -> restocking._Need:
        return restocking._Need(part, part.restocks, exists=True)

    patch.setattr(Restocking, "_with_free_number", keeps)


def the_fan_out_does_not_look_at_the_answers(patch: Patch) -> None:
    """As on the workshop's slides, which call both functions asynchronously and log errors."""
    real = FanOut._invoke

    def invoke(self: FanOut, function: str, payload: bytes) -> None:
        with suppress(NotDoneError):
            real(self, function, payload)

    patch.setattr(FanOut, "_invoke", invoke)


def change_order(patch: Patch, change: Callable[[list[Any]], None]) -> None:
    real = Ordering._actions

    def actions(*arguments: Any) -> list[Any]:
        made = real(*arguments)
        change(made)
        return made

    patch.setattr(Ordering, "_actions", actions)


def a_token_is_written_over(patch: Patch) -> None:
    def unconditional(actions: list[dict[str, Any]]) -> None:
        token = actions[0]["Put"]
        del token["ConditionExpression"], token["ExpressionAttributeNames"]

    change_order(patch, unconditional)


def the_stock_is_checked_when_it_is_read_and_not_when_it_is_taken(patch: Patch) -> None:
    def unchecked(actions: list[dict[str, Any]]) -> None:
        for update in (action["Update"] for action in actions if "Update" in action):
            if ":price" in update["ExpressionAttributeValues"]:
                update["ConditionExpression"] = "#itemType = :part AND #priceCents = :price"

    change_order(patch, unchecked)


def an_order_is_shipped_without_its_lines(patch: Patch) -> None:
    real = orders.shipment
    patch.setattr(orders, "shipment", lambda *arguments: real(*arguments)[:2])


def an_order_expires_and_keeps_its_units(patch: Patch) -> None:
    real = orders.expiry

    def expiry(table: str, order: Any, expired: str, _sold: Any) -> list[Any]:
        return real(table, order, expired, ())

    patch.setattr(orders, "expiry", expiry)


def a_part_that_is_low_by_one_counts_as_enough(patch: Patch) -> None:
    real = parts.read

    def read(image: Image) -> parts.Part:
        part = real(image)
        object.__setattr__(part, "reorder_below", part.reorder_below - 1)
        return part

    patch.setattr(parts, "read", read)


test_the_simulation_finds_in_the_shop = finds_each_mutation(
    globals(), lambda: any(run(plan(seed, system="shop")).wrong for seed in SEEDS)
)
