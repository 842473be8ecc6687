"""`make demo EXAMPLE=shop` on a new stack."""

from leda_cli.demos.example import player
from leda_cli.demos.shop_client import Shop


def test_the_demo_succeeds_on_a_new_stack(shop: Shop) -> None:
    player("shop")(shop.aws)
