"""`leda totals`: its options and its output."""

import csv
import io
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda_cli.base.errors import LedaError
from leda_cli.operate import totals_command as module
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.not_live import NotLive
from leda_cli.operate.rebuilding.journal import OpenRun
from leda_cli.operate.totals.totals_age import Age
from leda_cli.operate.totals_command import totals
from support.aggregations import aggregation

GROUP_BY = {"daily": {"keys": ["date"]}, "tags": {"keys": ["tags[]", "date"]}}
MEASURES: dict[str, Any] = {
    "Count": {"op": "count"},
    "Sentiment": {"op": "sum", "field": "sentiment_score"},
}
LIVE = Configuration.from_json(json.dumps({"group_by": GROUP_BY, "measures": MEASURES}))
PLAIN = {"group_by": {"users": {"keys": ["user"]}}, "identifiers": "plain"}
TREE = {"path": "Path"}
EVIL = "\x1b[31m[bold]=2\n"


class Client:
    """A totals table without indexes."""

    def __init__(self, rows: Sequence[tuple[str, str, str]]) -> None:
        self.rows = {
            name: {"Identifier": {"S": name}, "Count": {"N": count}, "Sentiment": {"N": sentiment}}
            for name, count, sentiment in rows
        }

    def get_item(self, Key: Any, **_: Any) -> Any:
        row = self.rows.get(Key["Identifier"]["S"])
        return ({"Item": row} if row else {}) | {"ConsumedCapacity": {"CapacityUnits": 1.0}}

    def scan(self, **_: Any) -> Any:
        return {"Items": [*self.rows.values()], "ConsumedCapacity": {"CapacityUnits": 12.5}}

    def describe_table(self, **_: Any) -> Any:
        return {"Table": {}}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The stack that the command finds: live configuration, parts that are not live, age, open run, and rows."""
    account = SimpleNamespace(
        endpoint=None,
        dynamodb=Client(
            [
                ("daily:2026-08-01", "3", "1"),
                ("daily:2026-08-02", "12345678901234567890", "-2.50"),
                ("daily:2026-08-03", "0", "0"),
                ("tags:a%3Ab:2026-08-01", "1", "1"),
                (f"tags:{EVIL}:2026-08-01", "1", "1"),
            ]
        ),
    )
    made = SimpleNamespace(live=LIVE, pending=NotLive(), age=Age(2.25, None), run=None)
    made.client = account.dynamodb
    found = aggregation(
        account,
        totals_table="Totals",
        live=lambda: made.live,
        open_run=lambda: made.run,
        age=lambda _: made.age,
    )
    monkeypatch.setattr(Aggregation, "find", lambda *_: found)
    monkeypatch.setattr(module, "not_live", lambda *_: made.pending)
    return made


def _out(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_a_grouping_is_shown_with_keys_measures_and_averages(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    totals(grouping="daily", averages=["Sentiment"])
    assert [line.split() for line in _out(capsys)[:3]] == [
        ["date", "Count", "Sentiment", "Sentiment", "average"],
        ["2026-08-01", "3", "1", "0.3333333333333333"],
        ["2026-08-02", "12,345,678,901,234,567,890", "-2.50", "-0.0000000000000000002025000018225"],
    ]


def test_each_answer_shows_its_age_and_the_read_units(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    totals("daily:2026-08-01")
    assert _out(capsys)[2:] == [
        "age 2.2 s: the oldest change that may be missing waits 2.2 s for Map",
        "read from one row of Totals: 1 row, 1 read unit",
    ]
    found.age = Age(None, None)
    totals(grouping="daily")
    assert _out(capsys)[3:] == [
        "age 0 s: no change waits",
        "read from a scan of Totals: 5 rows, 12.5 read units",
    ]
    found.age = "not allowed"
    totals(grouping="daily")
    assert "age not known: not allowed" in _out(capsys)


@pytest.mark.parametrize("name", ["backfill", "rebuild"])
def test_the_age_is_unknown_while_a_rebuild_changes_totals(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    found.run = OpenRun(name, is_moving=False)
    totals("daily:2026-08-01")
    assert "age 2.2 s" in capsys.readouterr().out
    found.run = OpenRun(name, is_moving=True)
    totals("daily:2026-08-01")
    (line,) = [each for each in _out(capsys) if each.startswith("age not known")]
    assert "totals may be wrong" in line
    assert line.endswith(f"run `leda {name} --map-function MapLambda`")
    totals("daily:2026-08-01", as_json=True)
    age = json.loads(capsys.readouterr().out)["age"]
    assert age["seconds"] is None
    assert "totals may be wrong" in age["unknown"]


@pytest.mark.parametrize(
    ("identifier", "says"),
    [
        ("daily", "those of the grouping daily are daily:<date>"),
        ("daily:2026:08", "those of the grouping daily are daily:<date>"),
        ("tags:2026-08-01", "those of the grouping tags are tags:<tags>:<date>"),
        ("dayly:2026-08-01", "has no grouping dayly"),
        ("daily:" + "x" * 1019, "at most 1024 bytes"),
        ("daily:", "an empty text %"),
        ("daily:50%", "in an identifier % is written %25"),
        ("tags:%3a:2026-08-01", "% is written %25"),
    ],
)
def test_an_impossible_identifier_is_an_error(
    found: SimpleNamespace, identifier: str, says: str
) -> None:
    with pytest.raises(LedaError, match=re.escape(says)):
        totals(identifier)


@pytest.mark.parametrize(
    ("document", "options", "says"),
    [
        (PLAIN, {"grouping": "users", "key": ["user="]}, "an empty text is not the identifier"),
        (
            PLAIN,
            {"grouping": "users", "key": ["user=:ann"]},
            ":ann is not the identifier of a total",
        ),
        (PLAIN, {"identifier": ":ann"}, "cannot be counted"),
        (TREE, {"identifier": "Delta:"}, "no level of a hierarchy is empty"),
        (TREE, {"identifier": "Delta::EMEA", "children": True}, "no level of a hierarchy"),
    ],
)
def test_an_impossible_identifier_without_escapes_is_an_error(
    found: SimpleNamespace, document: dict[str, Any], options: dict[str, Any], says: str
) -> None:
    found.live = Configuration.from_json(json.dumps({**document, "measures": MEASURES}))
    with pytest.raises(LedaError, match=says):
        totals(**options)


def test_an_empty_key_is_told_from_the_level_above(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    group_by = {"place": {"keys": ["country", "city"], "rollup": True}}
    found.live = Configuration.from_json(json.dumps({"group_by": group_by, "measures": MEASURES}))
    found.client.rows = Client([("place:it", "3", "0"), ("place:it:%", "2", "0")]).rows
    totals(grouping="place")
    assert [line.split()[:3] for line in _out(capsys)[1:3]] == [["it", "3", "0"], ["it", '""', "2"]]


def test_a_changed_grouping_is_shown_as_it_is_live(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    found.pending = NotLive(groupings=("daily", "hourly"))
    totals(grouping="daily")
    lines = _out(capsys)
    assert lines[1].split() == ["2026-08-01", "3", "1"]
    assert "the grouping hourly is deployed and not live: run `leda backfill`" in lines
    asked: list[dict[str, Any]] = [{"identifier": "hourly:2026-08-01T10"}, {"grouping": "hourly"}]
    for given in asked:
        with pytest.raises(LedaError, match="hourly is deployed and not live yet") as error:
            totals(**given)
        assert "leda backfill" in error.value.fix


def test_keys_are_shown_without_markup_and_control_characters(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    totals(grouping="tags")
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\\x1b[31m[bold]=2\\n" in shown
    assert "a:b" in shown
    totals()
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert r"tags:\x1b[31m[bold]=2\n:2026-08-01" in shown


def test_one_long_key_does_not_widen_the_column(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    found.client.rows |= Client([("daily:" + "x" * 900, "1", "1")]).rows
    totals(grouping="daily")
    lines = _out(capsys)
    assert sum(line.count("x") for line in lines if set(line.split()[0]) == {"x"}) == 900
    assert max(map(len, lines)) < 150


def test_an_absent_total_is_not_an_error(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in ("date=2026-08-03", "date=a=b"):
        totals(grouping="daily", key=[key])
        assert _out(capsys)[0] == "no such total: no row counts there"


def test_json_has_exact_numbers_and_the_age(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    totals(grouping="daily", top=1, by="Count", averages=["Sentiment"], as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "age": {"seconds": 2.25, "map_seconds": 2.25, "reduce_seconds": None, "unknown": None},
        "notes": [],
        "read": {"from": "a scan of Totals", "rows": 5, "read_units": "12.5"},
        "totals": [
            {
                "identifier": "daily:2026-08-02",
                "grouping": "daily",
                "keys": {"date": "2026-08-02"},
                "measures": {"Count": "12345678901234567890", "Sentiment": "-2.50"},
                "averages": {"Sentiment": "-0.0000000000000000002025000018225"},
            }
        ],
    }


def test_csv_has_the_keys_unescaped_off_a_terminal_and_the_age_is_on_standard_error(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    totals(grouping="tags", as_csv=True)
    printed = capsys.readouterr()
    assert [*csv.reader(io.StringIO(printed.out))] == [
        ["Identifier", "tags", "date", "Count", "Sentiment"],
        [f"tags:{EVIL}:2026-08-01", EVIL, "2026-08-01", "1", "1"],
        ["tags:a%3Ab:2026-08-01", "a:b", "2026-08-01", "1", "1"],
    ]
    assert "age 2.2 s" in printed.err
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    totals(grouping="tags", as_csv=True)
    assert "\x1b" not in capsys.readouterr().out


# -- what is not live


def test_before_the_first_backfill_there_is_no_age(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    found.pending = NotLive(is_first=True)
    totals(as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["age"]["unknown"] == "no configuration is live"
    assert "leda backfill" in report["notes"][0]
    totals(grouping="daily", key=["date=2026-08-03"])
    lines = _out(capsys)
    assert (
        "no such total: no row counts there" not in lines
    ), "there are rows, and they have not been counted"
    assert any(line.startswith("no configuration is live") for line in lines)


# -- options


@pytest.mark.parametrize(
    ("identifier", "meant"),
    [("daily:", "daily:%"), ("daily:50%", "daily:50%25"), ("tags:a%b:x%3Ay", "tags:a%25b:x%3Ay")],
)
def test_the_identifier_that_may_be_meant_is_named(
    found: SimpleNamespace, identifier: str, meant: str
) -> None:
    with pytest.raises(LedaError) as error:
        totals(identifier)
    assert error.value.fix is not None
    assert error.value.fix.startswith(f"give {meant} if")
    totals(meant)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"as_json": True, "as_csv": True}, "--json and --csv"),
        ({"identifier": ""}, "not empty"),
        ({"identifier": "a", "grouping": "daily"}, "an identifier and --grouping"),
        ({"key": ["date=x"]}, "--key names a key of a grouping"),
        ({"grouping": "daily", "top": 3}, "--top and --by go together"),
        ({"grouping": "daily", "by": "Count"}, "--top and --by go together"),
        ({"grouping": "daily", "top": 3, "by": "Count", "children": True}, "--children and --top"),
        ({"grouping": "daily", "key": ["date"]}, "--key date has no ="),
        ({"grouping": "daily", "key": ["date=a", "date=b"]}, "given twice"),
        ({"grouping": "weekly"}, "no grouping weekly"),
        ({"grouping": "daily", "top": 3, "by": "Value"}, "--by Value: the live configuration"),
        ({"grouping": "daily", "averages": ["Count"]}, "--average Count"),
        ({"children": True}, "need a grouping or a node"),
        ({"top": 3, "by": "Count"}, "need a grouping or a node"),
    ],
)
def test_invalid_combinations_of_options_are_refused(
    found: SimpleNamespace, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(LedaError, match=says):
        totals(**options)


def test_an_average_needs_a_measure_that_counts(found: SimpleNamespace) -> None:
    document = {"group_by": GROUP_BY, "measures": {"Sentiment": MEASURES["Sentiment"]}}
    found.live = Configuration.from_json(json.dumps(document))
    with pytest.raises(LedaError, match="an average needs a measure that counts"):
        totals(grouping="daily", averages=["Sentiment"])


def test_children_are_read_by_node_and_by_grouping(
    found: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    totals("daily", children=True, as_json=True)
    first = json.loads(capsys.readouterr().out)["totals"]
    totals(grouping="daily", children=True, as_json=True)
    assert json.loads(capsys.readouterr().out)["totals"] == first
    assert [Decimal(total["measures"]["Count"]) for total in first] == [3, 12345678901234567890]
