"""`leda rebuild`, the command: what it says and reports, and its exit status."""

import json
from decimal import Decimal
from typing import Any

import pytest

from leda.audit import Expected, Tables
from leda.engine.configuration import Configuration
from leda.engine.registry import Assignment
from leda_cli import rebuild_command as module
from leda_cli.deployed import deployed, live
from leda_cli.errors import LedaError
from leda_cli.rebuild import Change, Result
from leda_cli.rebuild_command import rebuild
from leda_cli.stack import Stack
from support.pipeline import CONFIGURATION

TODAY = Configuration.from_json(CONFIGURATION)
CHANGES = [
    Change("PV", (Decimal(1), Decimal(5)), (2, Decimal("7.5"))),
    Change("nobody", (Decimal(0), None), (Decimal(0), Decimal(0))),
]


class FakeStack:
    """Enough of a stack for the command."""

    state_table, reduce_table = "StateTable", "ReduceTable"
    aggregate_table, registry_table = "AggregateTable", "RegistryTable"
    functions = {"map": "MapLambda"}  # noqa: RUF012
    mappings = {"map": "uuid"}  # noqa: RUF012
    dynamodb = streams = lambdas = None
    endpoint = None

    def check(self) -> None:
        pass


class FakeRebuild:
    """Ends as the test wants it to."""

    error: BaseException | None = None
    mappings = ("uuid",)

    def __init__(self, *_: Any) -> None:
        self.journal = self
        self.is_open = self.error is not None

    def look(self) -> Result:
        return Result(TODAY, Expected({"PV": (2, Decimal("7.5"))}, rows=2), CHANGES, self.mappings)

    def run(self) -> Result:
        if self.error:
            raise self.error
        return self.look()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What AggregateTable holds in the check at the end."""
    totals: dict[str, Any] = {"PV": (2, Decimal("7.5"))}
    monkeypatch.setattr(Stack, "find", lambda *_: FakeStack())
    monkeypatch.setattr(module, "deployed", lambda _stack: Assignment(TODAY, 1))
    monkeypatch.setattr(module, "Rebuild", FakeRebuild)
    monkeypatch.setattr(FakeRebuild, "error", None)
    expected = {"PV": (2, Decimal("7.5"))}
    tables = Tables(TODAY.names, lambda: Expected({**expected}, rows=2), lambda: {**totals})
    monkeypatch.setattr(module, "both_sides", lambda *_: tables)
    return totals


def test_it_says_which_measures_of_which_totals_were_corrected(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(wait=0)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "PV      Count  from         1  to   2" in lines
    assert "PV      Value  from         5  to 7.5" in lines
    assert "nobody  Value  from no number  to   0" in lines
    assert "done  2 totals corrected, 1 in all" in lines


@pytest.mark.usefixtures("found")
def test_it_says_when_the_mapping_of_map_was_off_before_and_so_still_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(wait=0)
    assert "is off now" not in capsys.readouterr().out

    monkeypatch.setattr(FakeRebuild, "mappings", ())
    rebuild(wait=0)

    assert "is off now" in capsys.readouterr().out


def test_the_report_as_json_has_every_measure(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(wait=0, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["outcome"] == "done"
    assert report["wrong_afterwards"] == []
    assert report["changes"][0] == {
        "identifier": "PV",
        "old": {"Count": "1", "Value": "5"},
        "new": {"Count": 2, "Value": "7.5"},
    }
    assert report["changes"][1]["old"] == {"Count": "0", "Value": None}


def test_a_dry_run_says_what_would_change(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(dry_run=True)
    shown = capsys.readouterr().out
    assert "would switch off and on 1 mappings: uuid" in shown
    assert "would correct 2 totals" in shown


def test_totals_that_differ_afterwards_are_an_error(found: dict[str, Any]) -> None:
    found["PV"] = (3, Decimal("7.5"))
    with pytest.raises(LedaError, match="1 of 1 totals differ after the rebuild"):
        rebuild(wait=0)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), LedaError("what", "fix")])
def test_a_run_that_does_not_finish_says_that_the_next_one_does(
    found: dict[str, Any],
    error: BaseException,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeRebuild, "error", error)
    with pytest.raises(type(error)):
        rebuild(wait=0)
    assert (
        "The mapping of MapLambda may be off. Run `leda rebuild` again" in capsys.readouterr().out
    )


# -- what is deployed


class FakeLambda:
    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables

    def get_function_configuration(self, FunctionName: str) -> Any:
        assert FunctionName == "MapLambda"
        return {"Environment": {"Variables": self.variables}}


class FakeRegistry:
    """RegistryTable with these rows."""

    def __init__(self, rows: dict[tuple[str, str], dict[str, Any]]) -> None:
        self.rows = rows

    def get_item(self, Key: dict[str, Any], **_: Any) -> Any:
        row = self.rows.get((Key["Scope"]["S"], Key["Name"]["S"]))
        return {} if row is None else {"Item": row}


def _stack(variables: dict[str, str], rows: Any = ()) -> Any:
    stack: Any = FakeStack()
    stack.lambdas, stack.dynamodb = FakeLambda(variables), FakeRegistry(dict(rows))
    return stack


def test_what_is_deployed_is_in_maps_environment() -> None:
    stack = _stack({"CONFIGURATION": CONFIGURATION, "REDUCE_LANES": "4"})
    assert deployed(stack) == Assignment(TODAY, 4)


@pytest.mark.parametrize(
    "variables",
    [{}, {"CONFIGURATION": "{}"}, {"CONFIGURATION": CONFIGURATION, "REDUCE_LANES": "many"}],
)
def test_an_environment_that_is_not_maps_is_an_error(variables: dict[str, str]) -> None:
    with pytest.raises(LedaError, match="MapLambda's environment has no CONFIGURATION"):
        deployed(_stack(variables))


def test_the_live_configuration_is_the_registrys_and_before_the_first_change_the_deployed_one() -> (
    None
):
    variables = {"CONFIGURATION": CONFIGURATION}
    other = Configuration.from_json('{"path": "Path", "measures": {"Rows": {"op": "count"}}}')
    rows = {
        ("configurations", "live"): {"Version": {"S": other.version}},
        ("configurations", other.version): {"Document": {"S": other.document}},
    }
    assert live(_stack(variables)) == TODAY
    assert live(_stack(variables, rows)) == other
    del rows["configurations", other.version]
    with pytest.raises(LedaError, match=f"no configuration {other.version}"):
        live(_stack(variables, rows))
