"""The part that demos of grouped tables share: the expected totals, and an error for a wrong total."""

from decimal import Decimal

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.demos import grouped_table as module
from leda_cli.demos.grouped_table import GroupedTable
from support.grouped import Service, grouped_table, total

CONFIGURATION = {
    "group_by": {"daily": {"keys": ["date"]}, "shop": {"keys": ["shop", "date"]}},
    "measures": {"Count": {"op": "count"}, "Sum": {"op": "sum", "field": "amount"}},
}


@pytest.fixture
def service() -> Service:
    return Service(CONFIGURATION, ("id",))


@pytest.fixture
def table(service: Service) -> GroupedTable:
    found = grouped_table(service)
    for number, amount in enumerate(("1.5", "-0.25")):
        row = {"id": str(number), "date": "2026-08-01", "shop": "a:b"}
        found.put({**{name: {"S": text} for name, text in row.items()}, "amount": {"N": amount}})
    return found


def exact() -> list[dict[str, object]]:
    return [
        total("daily:2026-08-01", Count=2, Sum="1.25") | {"Applied1": {"S": "x"}},
        total("shop:a%3Ab:2026-08-01", Count=2, Sum="1.25"),
        total("daily:2026-07-31", Count=0, Sum=0),
    ]


def test_the_expected_totals_are_summed_over_the_rows(table: GroupedTable) -> None:
    measures = {"Count": Decimal(2), "Sum": Decimal("1.25")}
    assert table.expected() == {"daily:2026-08-01": measures, "shop:a%3Ab:2026-08-01": measures}


def test_correct_totals_settle_and_absent_totals_count_as_0(
    service: Service, table: GroupedTable
) -> None:
    service.restore("Totals", exact())
    table.settle(hold=0)
    assert table.require_exact() == 4
    assert table.some_totals(["daily:2026-08-01", "daily:no"]) == {
        "daily:2026-08-01": {"Count": Decimal(2), "Sum": Decimal("1.25")}
    }


@pytest.mark.parametrize("wrong", [{"Count": {"N": "3"}}, {"Sum": {"N": "1.2500000001"}}])
def test_a_figure_that_stays_wrong_is_an_error(
    service: Service,
    table: GroupedTable,
    wrong: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0)
    daily, shop, gone = exact()
    service.restore("Totals", [daily, shop | wrong, gone])
    looks = []
    with pytest.raises(LedaError, match="1 of 4 figures"):
        table.settle(lambda: looks.append(1), hold=0)
    assert looks == [1]
    assert "shop:a%3Ab:2026-08-01" in capsys.readouterr().out
    with pytest.raises(LedaError, match="1 of 4 figures"):
        table.require_exact()


def test_a_total_that_is_missing_is_an_error(service: Service, table: GroupedTable) -> None:
    service.restore("Totals", exact()[1:])
    with pytest.raises(LedaError, match="2 of 4 figures"):
        table.require_exact()


def test_a_total_that_moves_while_pages_are_read_has_one_place(
    service: Service, table: GroupedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(names: str, amounts: tuple[int, ...], **more: object) -> dict[str, object]:
        rows = [total(f"daily:{n}", Count=1, Sum=x) for n, x in zip(names, amounts, strict=True)]
        return {"Items": rows, **more}

    pages = iter([page("abc", (9, 8, 7), LastEvaluatedKey={}), page("ad", (6, 5))])
    monkeypatch.setattr(service, "query", lambda **_request: next(pages))
    table.reader._indexes = {"TopSum"}

    assert [each.keys["date"] for each in table.reader.top("daily", "Sum", 4).totals] == [*"bcad"]
