"""`make demo EXAMPLE=shop`: the first thing that is done with the shop."""

from leda_cli.demos.example import player
from leda_cli.demos.shop_client import Shop


def test_its_demo_is_the_first_thing_that_is_done_with_it(shop: Shop) -> None:
    player("shop")(shop.aws)
