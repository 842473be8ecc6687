"""The oracle: the independent sum over the final state that totals are compared with."""

import ast
from decimal import Decimal, Inexact
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda_cli.operate.totals import oracle


def trade(
    name: str, version: int, value: str, place: str = "PV:FXSpot:EMEA", **more: Any
) -> dict[str, Any]:
    risk, desk, region = place.split(":")
    hierarchy = {"RiskType": risk, "Region": region, "TradeDesk": desk}
    return {
        "TradeID": name,
        "Version": version,
        "Value": Decimal(value),
        "Hierarchy": hierarchy,
        **more,
    }


def test_a_trade_counts_at_every_level() -> None:
    assert oracle.fold([trade("a", 0, "1.10"), trade("b", 0, "2", "PV:FXSpot:APAC")]) == {
        "PV": (2, Decimal("3.10")),
        "PV:FXSpot": (2, Decimal("3.10")),
        "PV:FXSpot:EMEA": (1, Decimal("1.10")),
        "PV:FXSpot:APAC": (1, Decimal(2)),
    }


def test_the_highest_version_counts_in_any_order() -> None:
    old, new = trade("a", 1, "5"), trade("a", 2, "7")
    assert oracle.fold([old, new]) == oracle.fold([new, old]) == oracle.fold([new])


def test_a_moved_trade_does_not_count_at_its_old_path() -> None:
    moved = oracle.fold([trade("a", 0, "5"), trade("a", 1, "5", "Delta:FXSpot:EMEA")])
    assert moved == {
        "Delta": (1, Decimal(5)),
        "Delta:FXSpot": (1, Decimal(5)),
        "Delta:FXSpot:EMEA": (1, Decimal(5)),
    }


def test_a_deleted_trade_does_not_count_until_a_newer_version() -> None:
    deleted = trade("a", 1, "5", Deleted=True)
    assert oracle.fold([trade("a", 0, "5"), deleted]) == {}
    assert oracle.fold([deleted, trade("a", 0, "5")]) == {}
    assert oracle.fold([deleted, trade("a", 2, "6")])["PV"] == (1, Decimal(6))


def test_trades_that_add_up_to_0_have_a_total() -> None:
    folded = oracle.fold([trade("a", 0, "5"), trade("b", 0, "-5")])
    assert folded["PV"] == (2, Decimal(0))


def test_a_deletion_needs_neither_value_nor_hierarchy() -> None:
    assert oracle.fold([trade("a", 0, "5"), {"TradeID": "a", "Version": 1, "Deleted": True}]) == {}


def test_levels_may_be_fields_of_the_message() -> None:
    names = oracle.Names(id="Meter", hierarchy=None, levels=("City", "Street"))
    message = {"Meter": "m", "Version": 0, "Value": 3, "City": "Ulm", "Street": "Am Bach"}
    assert oracle.fold([message], names) == {"Ulm": (1, Decimal(3)), "Ulm:Am Bach": (1, Decimal(3))}


def test_values_in_bytes_are_read_exactly() -> None:
    seen = oracle.Oracle(oracle.Names(hierarchy=None, levels=("L",)))
    seen.see_bytes(b'{"TradeID": "a", "Version": 0, "Value": 0.1, "L": "x"}')
    seen.see_bytes(b'{"TradeID": "b", "Version": 0, "Value": 0.2, "L": "x"}')
    assert seen.totals() == {"x": (2, Decimal("0.3"))}


def test_rows_and_messages_can_be_combined() -> None:
    seen = oracle.Oracle()
    seen.see_row({"id": "a", "Version": Decimal(1), "Value": Decimal(5), "Path": "PV:FXSpot:EMEA"})
    seen.see_row({"id": "b", "Version": Decimal(3), "Deleted": True})
    seen.see(trade("a", 0, "100"))
    seen.see(trade("b", 2, "100"))
    assert seen.totals() == {
        "PV": (1, Decimal(5)),
        "PV:FXSpot": (1, Decimal(5)),
        "PV:FXSpot:EMEA": (1, Decimal(5)),
    }
    assert len(seen) == 2


def test_a_sum_that_would_be_rounded_is_an_error() -> None:
    wide = [trade("a", 0, "1E+150"), trade("b", 0, "1E-150")]
    with pytest.raises(Inexact):
        oracle.fold(wide)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.booleans()),
        unique_by=lambda m: m[:2],
    ),
    st.randoms(use_true_random=False),
)
def test_neither_order_nor_duplicates_matter(
    drawn: list[tuple[str, int, bool]], order: Any
) -> None:
    messages = [
        trade(name, version, f"{ord(name)}{version}.01", Deleted=deleted)
        for name, version, deleted in drawn
    ]
    shuffled = messages * 2
    order.shuffle(shuffled)
    assert oracle.fold(messages) == oracle.fold(shuffled)


def test_the_oracle_imports_nothing_from_leda() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not {name for name in imported if name and name.split(".")[0] in ("leda", "leda_cli")}
