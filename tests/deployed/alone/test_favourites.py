"""examples/favourites, applied by itself: the demo backfills the totals of a table that has rows."""

from leda_cli.demos.example import player
from leda_cli.demos.examples import ExampleAws

EXAMPLE = "favourites"


def test_the_demo_succeeds_on_a_new_stack(example: ExampleAws) -> None:
    player(EXAMPLE)(example)


def test_a_second_plan_is_empty(example: ExampleAws) -> None:
    assert example.terraform.plan_is_empty(), f"see {example.terraform.log}"
