"""The newest version of a trade counts, once, wherever and in whatever order its versions come."""

from collections import defaultdict
from collections.abc import Callable

import pytest

from support.live_stack import LiveStack
from support.live_trades import Trades, new_trades


def _duplicates(t: Trades) -> list[bytes]:
    return [t.message("a", 1, "5"), t.message("b", 1, "7")] * 4


def _newer(t: Trades) -> list[bytes]:
    return [t.message("a", version, f"{version}.5") for version in range(5)]


def _older(t: Trades) -> list[bytes]:
    return [t.message("a", version, f"{version}.5") for version in (9, 3, 8, 0, -4)]


def _moves(t: Trades) -> list[bytes]:
    return [
        t.message("a", 1, "10", desk="FXSpot", region="EMEA"),
        t.message("a", 2, "10", desk="FXOptions", region="APAC"),
        t.message("a", 3, "12", desk="FXOptions", region="AMER"),
        t.message("b", 1, "1", desk="FXSpot", region="EMEA"),
    ]


def _deletes(t: Trades) -> list[bytes]:
    return [
        t.message("kept", 1, "3"),
        t.message("a", 1, "10"),
        t.message("a", 2, deleted=True),
        t.message("back", 1, "4"),
        t.message("back", 2, deleted=True),
        t.message("back", 3, "6", region="APAC"),
    ]


def _deletes_that_come_first(t: Trades) -> list[bytes]:
    return [
        t.message("kept", 1, "3"),
        t.message("a", 2, deleted=True),
        t.message("a", 1, "10"),
        t.message("b", 5, "8"),
        t.message("b", 4, deleted=True),
    ]


def _equal_versions(t: Trades) -> list[bytes]:
    return [t.message("a", 1, "10"), t.message("a", 1, "99"), t.message("a", 1, "5", region="APAC")]


def _huge_versions(t: Trades) -> list[bytes]:
    return [t.message("a", 10**37 + step, str(step)) for step in (1, 3, 2)]


CASES = [
    _duplicates,
    _newer,
    _older,
    _moves,
    _deletes,
    _deletes_that_come_first,
    _equal_versions,
    _huge_versions,
]


WAYS = {"in one call": True, "one after the other": False}


@pytest.fixture(scope="module")
def sent(stack: LiveStack) -> dict[tuple[str, str], Trades]:
    """Every case in every way is put at once, each with trades of its own; the tests then look."""
    found: dict[tuple[str, str], Trades] = {}
    rounds: dict[int, list[bytes]] = defaultdict(list)
    for case in CASES:
        for way, together in WAYS.items():
            name = case.__name__[1:]
            found[name, way] = new_trades(f"{name}_{way}".replace(" ", "_"))
            for place, message in enumerate(case(found[name, way])):
                rounds[0 if together else place].append(message)
    for messages in rounds.values():
        stack.put(messages, key="one shard, one order")
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__[1:])
@pytest.mark.parametrize("way", WAYS)
def test_the_newest_version_counts_once(
    stack: LiveStack,
    sent: dict[tuple[str, str], Trades],
    case: Callable[[Trades], list[bytes]],
    way: str,
) -> None:
    stack.settle(sent[case.__name__[1:], way], hold=0.2)


def test_a_mixture_over_all_shards_is_exact(stack: LiveStack, trades: Trades) -> None:
    stack.put(trades.load(1500, seed=3, changes=60))
    stack.settle(trades)
