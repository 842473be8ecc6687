"""Totals of a table that has rows already, applied by themselves: the demo with its first computation."""

from leda_cli.demos.example import player
from leda_cli.demos.examples import ExampleAws

EXAMPLE = "favourites"


def test_its_demo_is_the_first_thing_that_is_done_with_it(example: ExampleAws) -> None:
    player(EXAMPLE)(example)


def test_a_plan_after_apply_is_empty(example: ExampleAws) -> None:
    assert example.terraform.plan_is_empty(), f"see {example.terraform.log}"
