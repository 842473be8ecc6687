"""What the simulation of the shop is there for: it happens, and with a rule taken out something is wrong."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from leda.shop import orders, parts, restocking, vendor_orders
from leda.shop.fan_out import FanOut, NotDone
from leda.shop.ordering import Ordering
from leda.shop.vendor_orders import Number
from leda.streams import Image
from simulation.runs import plan, run

# Without a mutation all of these pass (test_simulation plays them).
SEEDS = range(1, 151)

Patch = pytest.MonkeyPatch


def test_orders_are_made_refused_shipped_and_parts_restocked_in_trouble() -> None:
    counts: Counter[str] = Counter()
    for seed in range(1, 21):
        counts += run(plan(seed, system="shop")).counts

    for kind in (
        *("POST /orders: 201", "POST /orders: 200", "POST /orders: 409", "POST /orders: 503"),
        *("POST /admin/orders/{id}/ship: 200", "POST /admin/vendor-orders/{id}/receive: 200"),
        *("records that Firehose refused", "function errors: NotDone", "timeouts"),
    ):
        assert counts[kind] > 0, kind


def a_vendor_order_is_written_over_the_one_that_is_there(patch: Patch) -> None:
    real = vendor_orders.open_action

    def write(*arguments: Any) -> dict[str, Any]:
        action = real(*arguments)
        names = action["Update"]["ExpressionAttributeNames"]
        action["Update"]["UpdateExpression"] = "SET " + ", ".join(
            f"{name} = :{name[1:]}" for name in names
        )
        return action

    patch.setattr(vendor_orders, "open_action", write)


def vendor_orders_have_one_number_for_ever(patch: Patch) -> None:
    patch.setattr(restocking, "Number", lambda product, _number: Number(product, 0))


def a_receipt_does_not_move_the_number(patch: Patch) -> None:
    real = vendor_orders.receipt

    def receipt(*arguments: Any) -> list[dict[str, Any]]:
        close, stock = real(*arguments)
        values = stock["Update"]["ExpressionAttributeValues"]
        values[":next"] = values[":number"]
        return [close, stock]

    patch.setattr(vendor_orders, "receipt", receipt)


def the_fan_out_does_not_look_at_the_answers(patch: Patch) -> None:
    """As on the slides, which call both functions asynchronously and log what goes wrong."""
    real = FanOut._invoke

    def invoke(self: FanOut, function: str, payload: bytes) -> None:
        with suppress(NotDone):
            real(self, function, payload)

    patch.setattr(FanOut, "_invoke", invoke)


def change_order(patch: Patch, change: Callable[[list[dict[str, Any]]], None]) -> None:
    real = Ordering._actions

    def actions(*arguments: Any) -> list[dict[str, Any]]:
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
            update["ConditionExpression"] = "#itemType = :part AND #priceCents = :price"

    change_order(patch, unchecked)


def an_order_is_shipped_without_its_lines(patch: Patch) -> None:
    real = orders.shipment
    patch.setattr(orders, "shipment", lambda *arguments: real(*arguments)[:2])


def a_part_that_is_low_by_one_counts_as_enough(patch: Patch) -> None:
    real = parts.read

    def read(image: Image) -> parts.Part:
        part = real(image)
        object.__setattr__(part, "reorder_below", part.reorder_below - 1)
        return part

    patch.setattr(parts, "read", read)


@pytest.mark.parametrize(
    "mutation",
    [
        a_vendor_order_is_written_over_the_one_that_is_there,
        vendor_orders_have_one_number_for_ever,
        a_receipt_does_not_move_the_number,
        the_fan_out_does_not_look_at_the_answers,
        a_token_is_written_over,
        the_stock_is_checked_when_it_is_read_and_not_when_it_is_taken,
        an_order_is_shipped_without_its_lines,
        a_part_that_is_low_by_one_counts_as_enough,
    ],
    ids=lambda mutation: mutation.__name__,
)
def test_the_simulation_finds_in_the_shop(
    monkeypatch: pytest.MonkeyPatch, mutation: Callable[[Patch], None]
) -> None:
    mutation(monkeypatch)

    assert any(run(plan(seed, system="shop")).wrong for seed in SEEDS)
