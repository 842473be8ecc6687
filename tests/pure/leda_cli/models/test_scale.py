"""The model of scale, compared with queueing theory and with AWS's limits, and its report."""

import json
import math
import re
from dataclasses import replace

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import ROOT
from leda_cli.models import profiles, scale_report
from leda_cli.models.limits import TARGET, breaking_rate, limits, of_the_pipeline, tightest
from leda_cli.models.load_model import Settings, Workload, load
from leda_cli.models.measured import ServiceTimes
from leda_cli.models.profiles import FOR_1K, FOR_1M, FOR_50K, FOR_MANY_TOTALS, played
from leda_cli.models.scale import rates_of, scale
from leda_cli.models.scaling import Bucket, Concurrency, Play, simulate
from support.invoked import invoked

pytestmark = pytest.mark.usefixtures("few_messages")

TIMES = ServiceTimes()
SHORT = Play(seconds=30)
WARM = Settings(shard_count=40, warm_write_units=45_000, map_window=1.0, reduce_window=1.0)


@pytest.mark.parametrize("use", [0.3, 0.8])
def test_one_shard_with_batches_of_one_waits_as_an_m_d_1_queue(use: float) -> None:
    """Random arrivals, one server, fixed work s: the mean wait is use * s / (2 (1 - use))."""
    # Without polls, windows and spread only the queue is left. Each message takes State 50 ms.
    times = ServiceTimes(
        invocation_cpu_ms=50, state_cpu_ms_per_1000=0, statements_ms=0, kinesis_poll_seconds=0
    )
    settings = Settings(shard_count=1, state_batch_size=1, state_window=0, state_memory=1769)
    play = Play(seconds=3000, groups=math.inf, spread=0)
    workload = Workload(use / 0.050, duplicates=0)
    waits = simulate(workload, settings, times, play).state_waits
    expected = use * 0.050 / (2 * (1 - use))
    assert sum(waits) / len(waits) == pytest.approx(expected, rel=0.1)


def test_lanes_are_as_busy_as_the_utilization_law_says() -> None:
    workload = Workload(50_000)
    settings = replace(FOR_50K.settings, map_window=0.0)
    outcome = simulate(workload, settings, TIMES, SHORT)
    assert outcome.map_busy == pytest.approx(load(workload, settings, TIMES).map.busy, rel=0.15)


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        (Settings(shard_count=40), "StateTable: warm write units"),
        (Settings(shard_count=2), "ingest: records of a shard"),
        (replace(WARM, state_memory=128, write_threads=1), "State: time of a lane"),
        (replace(WARM, concurrency=15), "Lambda: executions at once"),
    ],
)
def test_the_model_falls_behind_above_the_breaking_rate_only(
    settings: Settings, limit: str
) -> None:
    rate, first = breaking_rate(Workload(1), settings, TIMES)
    assert first.name == limit
    assert not simulate(Workload(0.8 * rate), settings, TIMES, SHORT).fell_behind
    assert simulate(Workload(1.4 * rate), settings, TIMES, SHORT).fell_behind


def test_the_outcome_depends_on_the_seed_alone() -> None:
    workload, settings = Workload(2000), Settings()
    first, again = (simulate(workload, settings, TIMES, SHORT) for _ in range(2))
    assert first == again
    assert simulate(workload, settings, TIMES, replace(SHORT, seed=2)) != first


def test_latencies_lie_between_the_stages_shortest_and_longest_times() -> None:
    workload = Workload(5000)
    settings = replace(FOR_50K.settings, shard_count=10, map_window=3.0, warm_write_units=8000)
    found = load(workload, settings, TIMES)
    outcome = simulate(workload, settings, TIMES, SHORT)
    shortest = sum(stage.seconds for stage in (found.state, found.map, found.reduce))
    longest = sum(stage.gather + stage.seconds for stage in (found.state, found.map, found.reduce))
    assert min(outcome.latencies) > 0.8 * shortest
    assert outcome.percentile(0.99) < 1.1 * longest
    assert outcome.percentile(0.5) < outcome.percentile(0.95) < outcome.percentile(0.99)


def test_more_lanes_allow_more_totals() -> None:
    workload = Workload(1, hierarchy=(10, 10, 9))
    settings = replace(FOR_MANY_TOTALS.settings, reduce_lanes=1)
    rate, limit = breaking_rate(workload, settings, TIMES)
    assert limit.name == "ReduceTable: write units of a lane's partition"
    # Somewhat above it, batches of Map that wait grow, and take fewer units a change.
    workload = replace(workload, rate=3 * rate)
    one = simulate(workload, settings, TIMES, SHORT)
    eight = simulate(workload, replace(settings, reduce_lanes=8), TIMES, SHORT)
    assert one.fell_behind
    assert not eight.fell_behind


def test_a_message_counts_as_committed_when_its_last_lane_has_added_it() -> None:
    play = Play(seconds=60, burst=1000)
    for lanes in (1, 4, 16):
        outcome = simulate(Workload(1), Settings(reduce_lanes=lanes), TIMES, play)
        assert outcome.committed == pytest.approx(930)


def test_a_burst_settles_in_the_time_measured_on_the_emulator() -> None:
    """On LocalStack, bursts of 10,000 messages took 6 to 20 s; DynamoDB Local wrote 800 to 1,400 rows a second."""
    emulated = Settings(shard_count=16, warm_write_units=1100)
    times = ServiceTimes(kinesis_poll_seconds=0.1, dynamodb_poll_seconds=0.1)
    play = Play(seconds=120, burst=10_000)
    outcome = simulate(Workload(1000, duplicates=0), emulated, times, play)
    assert outcome.committed == pytest.approx(10_000)
    assert 6 <= outcome.last_commit <= 20


def test_a_token_bucket_delays_units_in_order() -> None:
    bucket = Bucket(100)
    assert bucket.passed(0, 50) == 0.5
    assert bucket.passed(0.1, 50) == 1.0
    assert bucket.passed(5, 100) == 6.0


def test_work_beyond_the_concurrency_limit_waits_in_order() -> None:
    begun: list[str] = []
    limit = Concurrency(2)
    limit.enter(2, lambda: begun.append("first"))
    limit.enter(1, lambda: begun.append("second"))
    assert begun == ["first"]
    limit.leave(2)
    assert begun == ["first", "second"]


@pytest.mark.parametrize(("profile", "rate"), [(FOR_1K, 1e3), (FOR_50K, 5e4), (FOR_1M, 1e6)])
def test_recommended_settings_exceed_no_limit_and_keep_up(
    profile: profiles.Profile, rate: float
) -> None:
    strained = [
        limit.name
        for limit in limits(load(Workload(rate), profile.settings, TIMES))
        if limit.strain > 1
    ]
    assert strained == []
    run = played(profile, Workload(rate), TIMES, SHORT)
    assert not run.outcome.fell_behind
    assert run.outcome.percentile(0.99) < profiles.FRESHNESS_SECONDS


@pytest.mark.parametrize(("hierarchy", "rate"), scale_report.MANY_TOTALS.items())
def test_settings_for_many_totals_exceed_no_limit_at_their_rate(
    hierarchy: tuple[int, ...], rate: float
) -> None:
    workload = Workload(rate, hierarchy=hierarchy)
    settings = FOR_MANY_TOTALS.settings
    strained = [limit.name for limit in limits(load(workload, settings, TIMES)) if limit.strain > 1]
    assert strained == []
    first, _ = breaking_rate(workload, settings, TIMES, of_the_pipeline)
    assert first > rate


def test_the_example_has_the_settings_recommended_for_50_000_messages_a_second() -> None:
    text = (ROOT / "examples" / "high-throughput" / "main.tf").read_text()
    settings, default = FOR_50K.settings, Settings()

    def given(name: str, block: str = "") -> float | None:
        part = text
        if block:
            found = re.search(rf"^  {block} = {{(.*?)^  }}", text, re.MULTILINE | re.DOTALL)
            part = found[1] if found else ""
        value = re.search(rf"^ +{name} += (\S+)$", part, re.MULTILINE)
        return float(value[1]) if value else None

    assert given("shard_count") == settings.shard_count
    assert given("reduce_lanes") == settings.reduce_lanes
    for stage in ("state", "map", "reduce"):
        for name, ours in (
            ("memory_mb", "memory"),
            ("batch_size", "batch_size"),
            ("batching_window_seconds", "window"),
        ):
            stated = given(name, f"{stage}_function")
            standard = getattr(default, f"{stage}_{ours}")
            assert (standard if stated is None else stated) == getattr(settings, f"{stage}_{ours}")
    outputs = (ROOT / "examples" / "high-throughput" / "outputs.tf").read_text()
    assert f"WriteUnitsPerSecond={settings.warm_write_units}" in outputs


def test_the_model_has_the_defaults_of_the_modules() -> None:
    settings = Settings()
    modules = {"state": "aggregation-pipeline", "map": "aggregation", "reduce": "aggregation"}
    for stage, module in modules.items():
        text = (ROOT / "modules" / module / "variables.tf").read_text()
        block = text.split(f'variable "{stage}_function"')[1].split("\n}\n")[0]
        stated = dict(re.findall(r"(\w+) += optional\(number, (\d+)\)", block))
        assert int(stated["memory_mb"]) == getattr(settings, f"{stage}_memory")
        assert int(stated["batch_size"]) == getattr(settings, f"{stage}_batch_size")
        assert int(stated["batching_window_seconds"]) == getattr(settings, f"{stage}_window")
        assert int(stated["parallelization_factor"]) == 1


def test_the_tightest_limit_has_the_highest_strain() -> None:
    found = load(Workload(3000), Settings(shard_count=10), TIMES)
    limit = tightest(found)
    assert limit.name == "StateTable: warm write units"
    assert limit.strain == pytest.approx(limit.used / TARGET)


def test_rates_are_parsed_from_a_list() -> None:
    assert rates_of("1000,5e4") == [1000, 50_000]
    for text in ("", "fast", "0"):
        with pytest.raises(LedaError):
            rates_of(text)


def test_the_command_answers_in_json_and_as_a_table() -> None:
    arguments = ["--rates", "1000", "--seconds", "12", "--statements-ms", "20"]
    answer = invoked(scale, *arguments, "--json")
    assert answer.exit_code == 0, answer.output
    result = json.loads(answer.stdout)
    assert result["service_times"]["statements_ms"] == 20
    assert result["service_time_sources"]["statements_ms"] == "given on the command line"
    verdicts = {run["settings"]: run["verdict"] for run in result["runs"]}
    assert verdicts["defaults"] == "holds"
    assert result["breaks_at"]["for 1 k"]["limit"] == "ingest: records of a shard"
    shown = invoked(scale, *arguments)
    assert shown.exit_code == 0, shown.output
    assert "defaults" in shown.stdout


def test_the_report_has_latencies_and_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_report, "RATES", (1e3, 1e4))
    monkeypatch.setattr(scale_report, "TIMES_AS_LONG", (1,))
    monkeypatch.setattr(scale_report, "MANY_TOTALS", {(10, 10, 9): 1e4})
    text = scale_report.markdown(
        Workload(1), TIMES, Play(seconds=6), lambda count=1, *, total=None: None
    )
    assert "| 10,000 | falls behind |" in text
    assert "WriteUnitsPerSecond=80000" in text
