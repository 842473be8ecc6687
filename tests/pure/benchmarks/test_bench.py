"""The benchmark's own arithmetic and text: samples, ratios, the model of memory, and the page."""

import json
from collections import Counter
from dataclasses import asdict
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from benchmarks import arithmetic, cold_start, events, groupings, page, stages, totals
from benchmarks import command as bench
from benchmarks.designs import DESIGNS, LEDA, PUBLISHED, STAGES
from benchmarks.end_to_end import Burst, _settled_text, _targets, published_limit
from benchmarks.environment import Took
from benchmarks.page import Measured
from benchmarks.parts import Section, Target, table
from benchmarks.samples import Sample, ratio
from benchmarks.stages import Run
from leda_cli.base.errors import LedaError
from leda_cli.models import measured
from leda_cli.models.metering import Meter


def test_a_sample_is_shown_as_its_median_and_range() -> None:
    assert Sample((3.0, 1.0, 2.0, 100.0)).text(1) == "2.5 (1.0 to 100.0)"
    assert Sample((1234.5,)).text() == "1,234"


def test_a_ratio_is_computed_from_pairs_of_runs() -> None:
    # The machine was twice as slow in the second repetition, which changes neither ratio.
    assert ratio(Sample((100.0, 200.0)), Sample((10.0, 20.0))).values == (10.0, 10.0)


def test_less_memory_lengthens_processor_time_and_not_waiting() -> None:
    # 100 ms of the processor and 100 of waiting: at half a processor 200 and 100.
    assert stages.shard_rate(cpu_ms=100, wall_ms=200, memory=1769) == pytest.approx(5000)
    assert stages.shard_rate(cpu_ms=100, wall_ms=200, memory=1769 // 2) == pytest.approx(
        3332, abs=2
    )
    assert stages.shard_rate(cpu_ms=100, wall_ms=200, memory=10_240) == pytest.approx(5000)


def _runs() -> stages.Runs:
    times = {LEDA.name: 20.0, PUBLISHED.name: 400.0}
    return {
        (design.name, stage): [Run(Took(times[design.name], 2 * times[design.name], 50), 40)] * 2
        for design in DESIGNS
        for stage in STAGES
    }


def test_the_targets_of_a_stage_are_ratios() -> None:
    found = {
        target.name: (target.found, target.met) for target in stages._targets(_runs(), _runs())
    }

    assert found["State's processor time"] == ("20.0", True)
    assert found["State's wall time at 5 ms a call"] == ("20.0", True)
    assert found["State's requests a message"] == ("0.040", True)


def test_the_time_of_records_excludes_the_invocations_own_time() -> None:
    small = {"state": Sample((2.0,)), "map": Sample((2.0,)), "reduce": Sample((2.0,))}

    found = stages.service_times(_runs(), small)

    assert found == {"state_cpu_ms_per_1000": 18.0, "invocation_cpu_ms": 2.0}


def _played(map_ms: float, reduce_ms: float, entries: int) -> totals.Played:
    def runs(cpu_ms: float) -> list[Run]:
        return [Run(Took(cpu_ms, cpu_ms, 50), 1)]

    mapped = {LEDA.name: runs(map_ms), PUBLISHED.name: runs(10.0)}
    return totals.Played(mapped, {LEDA.name: runs(reduce_ms)}, Sample((float(entries),)))


def test_the_times_of_changes_entries_and_totals_are_separated() -> None:
    found = {18: _played(10.0, 2.0, 18), 10_020: _played(13.0, 20.0, 1018)}

    figures = totals._figures(found, many_rows=Sample((36.0,)))

    assert figures == {
        "map_cpu_ms_per_1000": 10.0,
        "map_cpu_ms_per_1000_entries": 3.0,  # 3 ms for 1,000 entries more
        "reduce_cpu_ms_per_1000_entries": 2.0,  # 36 ms for 1,000 rows of 18
        "reduce_cpu_ms_per_1000_totals": pytest.approx(17.65, abs=0.01),
    }


@pytest.mark.parametrize(("times", "met"), [(1.01, True), (0.99, False)])
def test_the_target_of_map_is_the_published_designs_time(times: float, met: bool) -> None:
    assert arithmetic._map_target("new trades", times).met is met


def _counted(leda: int, add: int) -> groupings.Counted:
    """Counted units in which a hundred records of any size cost `leda` and `add`."""
    found = groupings.Counted()
    for mix, size in product(groupings.MIXES, product(groupings.GROUPINGS, groupings.BATCHES)):
        found.add[mix, size] = groupings.Cost(100, {"AggregateTable": add})
        for number in groupings.TOTALS:
            found.leda[mix, size, number] = groupings.Cost(100, {"AggregateTable": leda})
    return found


def test_the_target_of_units_applies_from_batches_of_ten_on() -> None:
    mix, found = groupings.USUAL_MIX, _counted(leda=90, add=100)
    assert groupings.target(found, mix).met

    found.leda[mix, (8, 1), 18].add(0, {"ReduceTable": 30})
    assert groupings.target(found, mix).met

    found.leda[mix, (8, 10), 18].add(0, {"ReduceTable": 10})
    found.leda[mix, (8, 100), 18].add(0, {"ReduceTable": 30})
    target = groupings.target(found, mix)
    assert (target.found, target.met) == ("fewer at 34 of 36 sizes, 20% more at most", False)
    assert groupings.target(found, groupings.NEW_ROWS).met


def test_units_that_miss_the_target_are_shown_in_bold() -> None:
    mix, found = groupings.USUAL_MIX, _counted(leda=90, add=100)
    found.leda[mix, (1, 10), 1000].add(0, {"ReduceTable": 10})

    rows = groupings.unit_rows(found, mix)

    assert "| 1 | 1 | 1.000 | 0.900 | 0.900 | 0.900 | 0.900 |" in rows
    assert "| 1 | 10 | 1.000 | 0.900 | **1.000** | 0.900 | 0.900 |" in rows


def test_a_groupings_time_is_the_sum_of_all_stages_for_each_record() -> None:
    runs: list[tuple[Run, ...]] = [(Run(Took(10.0, 30.0, 50), 1), Run(Took(5.0, 20.0, 50), 4))]

    took = groupings.Took(10, runs)

    assert took.each(lambda run: run.took.cpu_ms).median == 1.5
    assert took.each(lambda run: run.requests).median == 0.5


def test_the_kinds_of_changes_do_not_depend_on_the_number_of_totals() -> None:
    def kinds(number: int) -> list[str]:
        source = groupings.Feedback(8, number, groupings.USUAL_MIX)
        return [f"{'old' if old else ''}{'new' if new else ''}" for old, new in source.batch(1000)]

    assert kinds(18) == kinds(100_000)
    shares = Counter(kinds(18))
    assert shares["new"] == pytest.approx(800, abs=40)
    assert shares["oldnew"] == pytest.approx(150, abs=40)


@pytest.mark.parametrize("mix", groupings.MIXES)
def test_both_designs_have_the_same_totals_and_all_writes_are_metered(mix: groupings.Mix) -> None:
    changes = groupings.Feedback(8, 100, mix).batch(50)
    leda, add = groupings.MeteredLeda(8), groupings.MeteredAdd(8)

    for design in (leda, add):
        design.handle(changes)

    def found(meter: Meter, table: str) -> dict[str, list[Decimal]]:
        rows = meter.scan(TableName=table, ConsistentRead=True)["Items"]
        amounts = {
            row["Identifier"]["S"]: [Decimal(row[name]["N"]) for name in ("Count", "Sentiment")]
            for row in rows
        }
        return {key: each for key, each in amounts.items() if any(each)}

    ours = found(leda.meter, "AggregateTable")
    theirs = found(add.meter, "add-AggregateTable")
    assert len(ours) > 50
    assert ours == theirs
    assert add.meter.writes == {"add-AggregateTable": groupings.add_writes(changes, 8)}
    images = [image for change in changes for image in change if image]
    assert groupings.add_writes(changes, 8) == 8 * len(images)


def _result(section: Section) -> Measured:
    return Measured(section, "2 cores", "Python 3", "make bench", "2026-01-02", 3.4)


def test_the_page_shows_targets_results_command_and_machine() -> None:
    target = Target("State", "at least 10 times", "9.0", met=False)
    section = Section("Stages", table(["stage", "ms"], [["State", "1"]]), [target])

    lines = page.markdown([_result(section)]).splitlines()

    assert "| State | at least 10 times | 9.0 | **not met** |" in lines
    assert lines[lines.index("## Stages") :] == [
        "## Stages",
        "",
        "    make bench",
        "",
        "2026-01-02, 2 cores; Python 3; 3 s.",
        "",
        "| stage | ms |",
        "| --- | ---: |",
        "| State | 1 |",
    ]


def test_a_result_survives_a_round_trip_through_json() -> None:
    section = Section("Title", ["line"], [Target("a", "b", "c", True)], {"invocation_cpu_ms": 2.0})
    result = _result(section)

    assert Measured.from_json(json.loads(json.dumps(asdict(result)))) == result


def test_the_models_can_read_the_written_figures(tmp_path: Path) -> None:
    figures = stages.service_times(_runs(), dict.fromkeys(STAGES, Sample((2.0,))))
    more = {"map_cpu_ms_per_1000": 9.5}
    results = [_result(Section("", figures=each)) for each in (figures, more, {})]
    file = tmp_path / "measured.json"
    file.write_text(json.dumps(page.service_times(results)))

    found = measured.service_times(file=file)

    assert found.figures().items() >= (figures | more).items()
    assert found.sources["invocation_cpu_ms"].startswith("measured: make bench on 2 cores")
    # Not measured, because the stub's latency is a setting.
    assert not found.sources["call_ms"].startswith("measured")


def test_parts_run_in_the_order_of_the_page() -> None:
    assert bench.chosen("growth,units") == ["units", "growth"]
    assert bench.chosen(None) == list(bench.PARTS)
    with pytest.raises(LedaError, match="there is no part speed"):
        bench.chosen("units,speed")


@pytest.mark.parametrize("modified", [False, True])
def test_both_ways_to_add_up_agree(modified: bool) -> None:
    given = arithmetic.changes(arithmetic.event_of(seed=1, modified=modified))

    sums = arithmetic.leda_sums(given)

    assert len(sums) == 18
    assert sums == arithmetic.plain_sums(given)


def test_messages_have_the_given_shares_of_duplicates_and_newer_versions() -> None:
    source = events.Messages(seed=1, duplicates=7, modified=50)
    first, second = ([json.loads(data) for data in source.batch(1000)] for _ in range(2))

    repeated = 1000 - len({(each["TradeID"], each["Version"]) for each in second})
    versions = Counter(each["Version"] for each in second)

    assert repeated == 70
    assert {each["Version"] for each in first} == {0}
    assert 400 < versions[1] < 600
    assert all(Decimal(str(each["Value"])) < 100_000 for each in second)


def test_import_times_are_summed_by_package() -> None:
    text = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:      1500 |       2500 |   boto3.session\n"
        "import time:       500 |       3000 | boto3\n"
        "import time:        10 |         10 | json\n"
    )
    assert cold_start.by_package(text) == {"boto3": 2.0, "json": 0.01}


def _burst(design: str, settled: float | None) -> Burst:
    return Burst(design, 10_000, 9000, 5.0, settled, 100.0, 9000, 0.5)


def test_a_burst_that_does_not_settle_is_shown_with_its_progress() -> None:
    assert _settled_text(_burst("LEDA", 12.34)) == "12.3 s"
    assert _settled_text(_burst("published", None)) == (
        "not within 100 s: 4,500 of 9,000 trades in the totals"
    )


@pytest.mark.parametrize(
    ("ours", "limit"), [(10.0, 150.0), (100.0, 220.0), (200.0, 300.0), (None, 300.0)]
)
def test_the_published_design_gets_twice_ledas_time_within_bounds(
    ours: float | None, limit: float
) -> None:
    assert published_limit(_burst("LEDA", ours)) == pytest.approx(limit)


@pytest.mark.parametrize(
    ("ours", "theirs", "met"),
    [(49.0, 100.0, True), (51.0, 100.0, False), (49.0, None, True), (None, None, False)],
)
def test_the_target_of_a_burst_is_half_of_the_published_designs_time(
    ours: float | None, theirs: float | None, met: bool
) -> None:
    [target] = _targets([_burst("LEDA", ours), _burst("published", theirs)])

    assert target.met is met
