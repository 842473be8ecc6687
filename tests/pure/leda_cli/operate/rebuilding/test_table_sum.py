"""The sum over a table at a watermark: the rows that the scan read, corrected by the stream's records."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from leda.engine.audit.source_sum import Expected, fold
from leda.engine.group_by.configuration import Configuration
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.rebuilding import table_sum
from leda_cli.operate.rebuilding.table_sum import RowSum, TableSum

TABLE = SourceTable("Feedback", {"id": "B", "at": "N"})
CONFIGURATION = Configuration.from_json(
    json.dumps(
        {
            "group_by": {
                "source": {"keys": ["source", "tags[]"]},
                "urgent": {"keys": ["source"], "where": {"urgency": ["high"]}},
            },
            "measures": {"Count": {"op": "count"}, "Score": {"op": "sum", "field": "score"}},
        }
    )
)


def _row(number: int, draw: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": {"B": bytes([number % 11])},
        "at": {"N": str(number // 11)},
        "source": {"S": draw.choice("ab")},
        "urgency": {"S": draw.choice(("high", "low"))},
        "tags": {"SS": draw.sample(["x", "y", "z"], 2)},
        "score": {"N": draw.choice(("1", "-2.5", "0"))},
    }
    if draw.random() < 0.2:
        del row[draw.choice(("source", "score", "tags"))]
    return row


def _non_zero(expected: Expected) -> dict[str, Any]:
    return {name: amounts for name, amounts in expected.totals.items() if any(amounts)}


@pytest.mark.parametrize("seed", range(20))
def test_a_row_counts_as_its_last_record_or_as_it_was_read(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other leaves are in the file.
    monkeypatch.setattr(table_sum, "MOST_LEAVES", seed % 5)
    draw = random.Random(seed)
    table = {n: _row(n, draw) for n in range(40)}
    with TableSum.open(CONFIGURATION, TABLE) as sums:
        for first in range(0, 40, 7):
            # The scan may read any state of a row that changes meanwhile.
            page = [table[n] for n in range(first, min(first + 7, 40)) if n in table]
            sums.take(page)
            changed = draw.sample(range(45), 6)
            for n in changed:
                if n in table and draw.random() < 0.4:
                    gone = table.pop(n)
                    sums.write([({name: gone[name] for name in TABLE.keys}, None)])
                else:
                    table[n] = _row(n, draw)
                    sums.write([({name: table[n][name] for name in TABLE.keys}, table[n])])
        found = sums.total(lambda _name: True)
    wanted = fold(table.values(), CONFIGURATION, list(TABLE.keys))
    assert found.totals == _non_zero(wanted)
    assert (found.rows, found.unreadable) == (wanted.rows, wanted.unreadable)
    assert (found.outside, found.reasons) == (wanted.outside, wanted.reasons)
    assert found.named == wanted.named


def test_markers_of_this_run_and_of_a_former_one_are_no_rows() -> None:
    former, own = (
        {"id": {"B": b"leda"}, "at": {"N": place}, "LedaWatermark": {"S": "token"}}
        for place in ("0", "1")
    )
    with TableSum.open(CONFIGURATION, TABLE) as sums:
        sums.take([former])
        sums.write([({name: own[name] for name in TABLE.keys}, own)])
        found = sums.total(lambda _name: True)
    assert (found.rows, found.outside) == (0, 0)


def test_the_sum_in_a_file_equals_the_sum_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_sum, "MOST_LEAVES", 2)
    draw = random.Random(1)
    table = [_row(n, draw) for n in range(40)]
    with RowSum.open(CONFIGURATION, TABLE) as sums:
        for first in range(0, 40, 7):
            sums.take(table[first : first + 7])
        found = sums.total(lambda name: name != "urgent:b")
    wanted = fold(table, CONFIGURATION, list(TABLE.keys))
    assert found.totals == {
        name: wanted.totals[name] for name in wanted.totals if name != "urgent:b"
    }
    assert replace(found, totals={}) == replace(wanted, totals={})
