"""Totals are read over DynamoDB Local: by key, through an index where the table has one, and by a scan."""

import json
import random
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda.engine.group_by.identifiers import escaped
from leda_cli.base.errors import LedaError
from leda_cli.operate.totals.totals_reading import Found, Total, TotalsReader, average
from support import dynamodb_local
from support.tables import definition, index

MEASURES = {"Count": {"op": "count"}, "Score": {"op": "sum", "field": "score"}}
GROUP_BY = {
    "daily": {"keys": ["date"]},
    "users": {"keys": ["user"]},
    "desk": {"keys": ["type", "desk"], "rollup": True},
}
GROUPINGS = Configuration.from_json(json.dumps({"group_by": GROUP_BY, "measures": MEASURES}))
HIERARCHY = Configuration.from_json(json.dumps({"path": "Path", "measures": MEASURES}))
PLAIN = Configuration.from_json(
    json.dumps(
        {"group_by": {"scores": {"keys": ["user"]}}, "measures": MEASURES, "identifiers": "plain"}
    )
)
DAYS = [("daily:2026-08-01", 3, 9), ("daily:2026-08-02", 5, 9), ("daily:2026-08-03", 1, -4)]
DESKS = [("desk:PV", 4, 7), ("desk:PV:FX", 1, 5), ("desk:PV:Rates", 3, 2), ("desk:Delta", 1, 1)]
GONE = [("daily:2026-07-31", 0, 0), ("former:2026-08-01", 8, 8), (":rebuild:1:2:x.1.0", 1, 1)]


class Table:
    """A totals table with rows (identifier, Count, Score) as Reduce makes them."""

    def __init__(
        self, endpoint: str, configuration: Configuration, key: str = "Identifier"
    ) -> None:
        self.client: Any = dynamodb_local.client("dynamodb", endpoint)
        self.name = f"t{uuid.uuid4().hex[:12]}"
        self.key = key
        self.configuration = configuration
        self.is_indexed = False

    def create(self, indexes: Mapping[str, tuple[str, str]], held: Sequence[str]) -> None:
        """Create the table with these indexes by Parent and the given attribute; they project `held`, too."""
        self.is_indexed = bool(indexes)
        more: dict[str, Any] = {}
        if indexes:
            more["GlobalSecondaryIndexes"] = [
                index(
                    name,
                    "Parent",
                    attribute,
                    ProjectionType="INCLUDE",
                    NonKeyAttributes=[each for each in held if each != attribute],
                )
                for name, (attribute, _) in indexes.items()
            ]
        others = {"Parent": "S", **dict(indexes.values())} if indexes else {}
        self.client.create_table(**definition(self.name, {self.key: "S"}, others, **more))

    def fill(self, rows: Sequence[tuple[str, int, int]]) -> None:
        for identifier, count, score in rows:
            item: dict[str, Any] = {
                self.key: {"S": identifier},
                "Count": {"N": str(count)},
                "Score": {"N": str(score)},
                "Applied12345678_1": {"S": "x"},
            }
            if labels := self.configuration.labels(identifier):
                item["Parent"] = {"S": labels.parent}
            self.client.put_item(TableName=self.name, Item=item)

    @property
    def reader(self) -> TotalsReader:
        return TotalsReader(self.client, self.name, self.key, self.configuration)


INDEXES = {"Children": ("Identifier", "S"), "TopCount": ("Count", "N"), "TopScore": ("Score", "N")}


@pytest.fixture(params=[True, False], ids=["with indexes", "without indexes"])
def table(request: pytest.FixtureRequest, dynamodb_endpoint: str) -> Table:
    made = Table(dynamodb_endpoint, GROUPINGS)
    made.create(INDEXES if request.param else {}, ["Count", "Score"])
    made.fill([*DAYS, *DESKS, *GONE])
    return made


def _names(found: Found) -> list[str]:
    return [total.identifier for total in found.totals]


def test_a_total_is_read_by_its_identifier_or_its_keys(table: Table) -> None:
    reader = table.reader
    expected = Total(
        "daily:2026-08-01",
        "daily",
        {"date": "2026-08-01"},
        {"Count": Decimal(3), "Score": Decimal(9)},
    )
    found = reader.one(reader.identifier("daily", {"date": "2026-08-01"}))
    assert found.totals == [expected]
    assert found.rows == 1
    assert found.units == 1
    assert reader.identifier("desk", {"desk": "F:X%", "type": "PV"}) == "desk:PV:F%3AX%25"
    assert reader.identifier("desk", {"type": "PV"}) == "desk:PV"


@pytest.mark.parametrize(
    "identifier", ["daily:2026-07-31", "daily:2026-12-31", "former:2026-08-01"]
)
def test_a_total_of_0_rows_or_of_a_former_grouping_is_absent(table: Table, identifier: str) -> None:
    assert table.reader.one(identifier).totals == []


@pytest.mark.parametrize(
    ("grouping", "keys", "message"),
    [
        ("hourly", {}, "no grouping hourly"),
        ("daily", {"day": "x"}, "has the keys date, and not day"),
        ("desk", {"desk": "FX"}, "has the keys type, desk, and not desk"),
        ("desk", {"type": "PV", "desk": "FX", "x": "y"}, "and not type, desk, x"),
    ],
)
def test_keys_that_a_grouping_does_not_have_are_refused(
    grouping: str, keys: dict[str, str], message: str
) -> None:
    reader = TotalsReader(None, "t", "Identifier", GROUPINGS)  # type: ignore[arg-type]
    with pytest.raises(LedaError, match=message):
        reader.identifier(grouping, keys)


def test_only_a_grouping_with_rollup_takes_some_of_its_keys() -> None:
    document = {"group_by": {"source": {"keys": ["source", "date"]}}, "measures": MEASURES}
    configuration = Configuration.from_json(json.dumps(document))
    reader = TotalsReader(None, "t", "Identifier", configuration)  # type: ignore[arg-type]
    with pytest.raises(LedaError, match="a total for each source, date, and none for source"):
        reader.identifier("source", {"source": "web"})


def test_children_are_the_totals_one_level_below_in_order(table: Table) -> None:
    reader = table.reader
    found = reader.children("desk")
    assert _names(found) == ["desk:Delta", "desk:PV"]
    assert _names(reader.children("desk:PV")) == ["desk:PV:FX", "desk:PV:Rates"]
    assert reader.children("desk:PV").totals[0].keys == {"type": "PV", "desk": "FX"}
    if table.is_indexed:
        assert (found.source, found.rows, found.is_of_index) == ("the index Children", 2, True)
    else:
        assert found.source == f"a scan of {table.name}"
        assert found.rows == len([*DAYS, *DESKS, *GONE])


def test_a_whole_grouping_has_the_totals_of_all_its_levels(table: Table) -> None:
    assert _names(table.reader.whole("daily")) == [name for name, _, _ in DAYS]
    assert _names(table.reader.whole("desk")) == sorted(name for name, _, _ in DESKS)
    assert _names(table.reader.whole(None)) == sorted(name for name, _, _ in [*DAYS, *DESKS])


def test_the_top_totals_of_random_amounts_are_those_of_a_sort(
    dynamodb_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leda_cli.operate.totals.totals_reading._TOP_PAGE_ROWS", 3)
    draw = random.Random(7)
    table = Table(dynamodb_endpoint, GROUPINGS)
    table.create(INDEXES, ["Count", "Score"])
    rows = [
        (f"users:{escaped(name)}", draw.randint(0, 2), draw.randint(-2, 2))
        for name in ["ä", "z", "a:b", "", "%", *map(str, range(20))]
    ]
    table.fill(rows)
    present = [row for row in rows if row[1]]
    for count in (1, 4, 9, 40):
        expected = sorted(present, key=lambda row: (-row[2], row[0].encode()))[:count]
        found = table.reader.top("users", "Score", count)
        assert _names(found) == [name for name, _, _ in expected]
        assert found.source == "the index TopScore"


def test_an_index_without_a_measure_is_not_used(dynamodb_endpoint: str) -> None:
    table = Table(dynamodb_endpoint, GROUPINGS)
    table.create(INDEXES, ["Count", "Grouping"])
    table.fill(DAYS)
    reader = table.reader
    assert reader.children("daily").source == f"a scan of {table.name}"
    # Score is the sort key of this index, and missing in the others.
    assert reader.top("daily", "Score", 1).source == "the index TopScore"
    assert reader.top("daily", "Count", 1).source == f"a scan of {table.name}"


def test_children_and_top_of_a_hierarchy_are_read_from_the_identifiers(
    dynamodb_endpoint: str,
) -> None:
    table = Table(dynamodb_endpoint, HIERARCHY)
    table.create({}, [])
    table.fill([("PV", 3, 3), ("PV:FX", 2, 1), ("PV:FX:EMEA", 2, 1), ("PV:x", 1, 2), ("D", 1, 9)])
    reader = table.reader
    assert _names(reader.children("")) == ["D", "PV"]
    assert _names(reader.children("PV")) == ["PV:FX", "PV:x"]
    assert _names(reader.top("PV", "Score", 1)) == ["PV:x"]
    assert _names(reader.whole(None)) == ["D", "PV", "PV:FX", "PV:FX:EMEA", "PV:x"]
    assert reader.groupings == {}


@pytest.mark.parametrize(
    "indexes", [{}, {"Children": ("Username", "S"), "TopScore": ("Score", "N")}]
)
def test_plain_identifiers_are_the_text_of_the_key(
    dynamodb_endpoint: str, indexes: dict[str, tuple[str, str]]
) -> None:
    table = Table(dynamodb_endpoint, PLAIN, key="Username")
    table.create(indexes, ["Count", "Score"])
    table.fill([("a:b", 3, 3), ("Zoe", 2, 7), ("gone", 0, 0)])
    reader = table.reader
    assert reader.identifier("scores", {"user": "a:b"}) == "a:b"
    assert reader.one("a:b").totals[0].keys == {"user": "a:b"}
    assert _names(reader.whole("scores")) == ["Zoe", "a:b"]
    assert _names(reader.top("scores", "Score", 5)) == ["Zoe", "a:b"]
    assert reader.top("scores", "Score", 1).is_of_index is bool(indexes)


def test_without_a_count_a_total_with_0_in_every_measure_is_absent(dynamodb_endpoint: str) -> None:
    document = {
        "group_by": {"daily": {"keys": ["date"]}},
        "measures": {
            "Score": {"op": "sum", "field": "score"},
            "Count": {"op": "sum", "field": "n"},
        },
    }
    table = Table(dynamodb_endpoint, Configuration.from_json(json.dumps(document)))
    table.create({}, [])
    table.fill([("daily:a", 0, 5), ("daily:b", 5, 0), ("daily:c", 0, 0)])
    assert _names(table.reader.whole("daily")) == ["daily:a", "daily:b"]
    assert table.reader.count is None


def test_an_expired_total_is_absent(dynamodb_endpoint: str) -> None:
    document = {
        "group_by": {"daily": {"keys": ["at:day"], "retention_days": 2}},
        "measures": MEASURES,
    }
    table = Table(dynamodb_endpoint, Configuration.from_json(json.dumps(document)))
    table.create({}, [])
    table.fill([("daily:2026-08-01", 1, 1), ("daily:2026-08-02", 1, 1)])
    now = datetime(2026, 8, 4, tzinfo=UTC).timestamp()
    reader = TotalsReader(table.client, table.name, "Identifier", table.configuration, lambda: now)
    assert _names(reader.whole("daily")) == ["daily:2026-08-02"]
    assert reader.one("daily:2026-08-01").totals == []


def test_an_average_is_rounded_to_sixteen_digits() -> None:
    def of(score: str, count: str) -> Decimal:
        return average(
            Total("x", "", {}, {"Score": Decimal(score), "Count": Decimal(count)}), "Score", "Count"
        )

    assert str(of("9", "3")) == "3"
    assert str(of("2", "3")) == "0.6666666666666667"
    assert f"{of('100', '1'):f}" == "100"
