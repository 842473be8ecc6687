"""The bill, compared with quantities computed by hand, and the search for the cheapest settings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.base.hierarchies import choices_of, levels_of, totals_of
from leda_cli.models import cost_model, cost_report
from leda_cli.models.cost import cost
from leda_cli.models.cost_model import Line, bill, cheapest, slowest_seconds, tiered
from leda_cli.models.limits import limits
from leda_cli.models.load_model import Load, Settings, Workload, load, shards_of
from leda_cli.models.measured import ServiceTimes, service_times
from leda_cli.models.pipeline_units import Mix, compare
from leda_cli.models.prices import SECONDS_OF_A_MONTH, TABLE, of_region
from support.invoked import invoked

pytestmark = pytest.mark.usefixtures("few_messages")

TIMES = ServiceTimes()
PRICES = of_region("us-east-1")
ROOMY = Settings(shard_count=2, map_batch_size=10_000, reduce_batch_size=10_000)


def line(found: Load, item: str) -> Line:
    (one,) = [each for each in bill(found, PRICES).lines if each.item == item]
    return one


def test_provisioned_shards_cost_hours_puts_and_retention() -> None:
    found = load(Workload(1000), Settings(shard_count=2), TIMES)
    assert line(found, "shards").dollars == pytest.approx(2 * 730 * 0.015)
    # 1,000 a second for 2,628,000 seconds, at 1.4 cents a million.
    assert line(found, "puts").dollars == pytest.approx(2628 * 0.014)
    assert line(found, "retention to 7 days").dollars == pytest.approx(2 * 730 * 0.020)


def test_an_on_demand_stream_costs_by_the_gigabyte_in_steps_of_a_kilobyte() -> None:
    found = load(Workload(1000, message_bytes=1100), Settings(), TIMES)
    messages = 1000 * SECONDS_OF_A_MONTH
    assert line(found, "stream on demand").dollars == pytest.approx(730 * 0.04)
    assert line(found, "data in (1 KB steps)").quantity == pytest.approx(messages * 2048 / 1024**3)
    assert line(found, "data out").quantity == pytest.approx(messages * 1100 / 1024**3)


def test_lambda_costs_requests_and_gigabyte_seconds() -> None:
    found = load(Workload(1000), Settings(shard_count=2), TIMES)
    requests = found.map.invocations * SECONDS_OF_A_MONTH
    assert line(found, "map: requests").dollars == pytest.approx(requests / 1e6 * 0.20)
    gb_seconds = requests * found.map.seconds * 0.5
    assert line(found, "map: duration").quantity == pytest.approx(gb_seconds)
    assert line(found, "map: duration").dollars == pytest.approx(gb_seconds * 0.0000133334)


def test_each_price_tier_applies_to_its_part_of_the_quantity() -> None:
    tiers = [[10, 3.0], [30, 2.0], [0, 1.0]]
    assert tiered(5, tiers) == 15
    assert tiered(20, tiers) == 30 + 20
    assert tiered(100, tiers) == 30 + 40 + 70


def test_a_row_of_two_kilobytes_costs_state_two_write_units() -> None:
    small, large = (
        load(Workload(1000, message_bytes=size), ROOMY, TIMES).state.write_units
        for size in (250, 2000)
    )
    assert large == 2 * small


def test_more_totals_cost_more_up_to_the_number_of_totals() -> None:
    few, many = (
        load(Workload(1000, hierarchy=levels), ROOMY, TIMES) for levels in ((2, 2, 3), (10, 30, 33))
    )
    assert bill(few, PRICES).dollars < bill(many, PRICES).dollars
    assert Workload(1, hierarchy=(2, 2, 3)).touched(1e6) == pytest.approx(18)
    assert Workload(1, hierarchy=(1,)).touched(5) == 1
    # 10 draws of 4 nodes hit 4 (1 - 0.75^10) of them.
    assert Workload(1, hierarchy=(4,)).touched(10) == pytest.approx(4 * (1 - 0.75**10))


def test_the_cheapest_settings_stay_within_the_latency_and_every_limit() -> None:
    for rate in (10.0, 1000.0, 50_000.0):
        choice = cheapest(Workload(rate), PRICES, TIMES, latency=10)
        assert choice is not None
        assert slowest_seconds(choice.load) <= 10
        assert all(limit.strain <= 1 for limit in limits(choice.load))
        default = bill(load(Workload(rate), Settings(), TIMES), PRICES)
        assert choice.dollars < default.dollars


def test_a_longer_latency_never_costs_more_and_a_too_short_one_is_impossible() -> None:
    dollars = []
    for latency in (3.0, 10.0, 30.0):
        choice = cheapest(Workload(1000), PRICES, TIMES, latency)
        assert choice is not None
        dollars.append(choice.dollars)
    assert dollars == sorted(dollars, reverse=True)
    assert cheapest(Workload(1000), PRICES, TIMES, latency=0.5) is None


def test_a_rate_beyond_one_pipeline_is_divided_among_several() -> None:
    choice = cheapest(Workload(10_000_000), PRICES, TIMES, latency=10)
    assert choice is not None
    assert choice.pipelines > 1
    assert choice.dollars == choice.bill.dollars * choice.pipelines
    assert choice.load.workload.rate * choice.pipelines == 10_000_000


def test_an_on_demand_stream_has_at_least_four_shards() -> None:
    assert shards_of(Workload(10), Settings()) == 4
    assert shards_of(Workload(10_000), Settings()) == 20
    assert shards_of(Workload(10_000), Settings(shard_count=3)) == 3


def test_a_region_without_prices_is_refused() -> None:
    with pytest.raises(LedaError, match="no prices of mars-1"):
        of_region("mars-1")


def test_a_price_table_with_missing_or_unknown_prices_is_refused(tmp_path: Path) -> None:
    text = TABLE.read_text()
    table = tmp_path / "prices.toml"
    table.write_text(text.replace("shard_hour = 0.015\n", "", 1))
    with pytest.raises(LedaError, match="lacks shard_hour of kinesis"):
        of_region("us-east-1", table)
    table.write_text(text.replace("[us-east-1.kinesis]", "[us-east-1.kinesis]\ncolour = 1"))
    with pytest.raises(LedaError, match="colour"):
        of_region("us-east-1", table)
    table.write_text("not toml")
    with pytest.raises(LedaError, match="not a table of prices"):
        of_region("us-east-1", table)


def test_every_price_names_its_source_and_date() -> None:
    for source in PRICES.sources.values():
        assert "https://aws.amazon.com/" in source
        assert "202" in source


def test_measured_times_replace_assumed_ones_and_name_their_source(tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    file.write_text(json.dumps({"source": "make bench", "call_ms": 4}))
    found = service_times(file=file)
    assert found.call_ms == 4
    assert found.sources["call_ms"] == "measured: make bench"
    assert found.statements_ms == TIMES.statements_ms
    assert found.sources["statements_ms"].startswith("assumed")
    assert service_times(file=tmp_path / "none.json") == TIMES
    file.write_text('{"call_ms": 4}')
    with pytest.raises(LedaError, match="not what `make bench` writes"):
        service_times(file=file)


def test_times_measured_on_an_account_replace_those_of_the_benchmark(tmp_path: Path) -> None:
    benchmark, proof = tmp_path / "measured.json", tmp_path / "leda-proof.json"
    benchmark.write_text(json.dumps({"source": "make bench", "call_ms": 4, "statements_ms": 9}))
    proof.write_text(
        json.dumps({"source": "leda prove", "call_ms": 3, "kinesis_poll_seconds": 0.5, "proof": {}})
    )
    found = service_times(proof, benchmark)
    assert (found.call_ms, found.statements_ms, found.kinesis_poll_seconds) == (3, 9, 0.5)
    assert found.sources["call_ms"] == "measured: leda prove"
    assert found.sources["statements_ms"] == "measured: make bench"
    slow = replace(found, kinesis_poll_seconds=5.0)
    assert load(Workload(1000), Settings(), slow).state.gather == 6.0
    for text in ("", '{"call_ms": 4}'):
        proof.write_text(text)
        with pytest.raises(LedaError, match="not what `leda prove` writes"):
            service_times(proof, benchmark)
    with pytest.raises(LedaError, match="not what `leda prove` writes"):
        service_times(tmp_path / "none.json", benchmark)


def test_a_hierarchy_is_parsed() -> None:
    assert levels_of("2x2x3") == (2, 2, 3)
    assert totals_of((20, 20, 24)) == 10_020
    assert choices_of((1, 2), ["Shop", "Day"]) == {
        "Shop": ("Shop0000",),
        "Day": ("Day0000", "Day0001"),
    }
    with pytest.raises(LedaError, match="3 levels, and the stack's messages have 2"):
        choices_of((2, 2, 3), ["Shop", "Day"])
    for text in ("", "2x", "0x3", "many"):
        with pytest.raises(LedaError):
            levels_of(text)


def test_the_command_answers_in_json_and_as_a_table() -> None:
    answer = invoked(cost, "--rate", "100", "--latency", "5", "--json")
    assert answer.exit_code == 0, answer.output
    result = json.loads(answer.stdout)
    assert result["default"]["dollars"] > result["cheapest"]["dollars"]
    assert set(result["default"]["dollars_by_service"]) == {
        "Kinesis",
        "Lambda",
        "DynamoDB",
        "CloudWatch",
    }
    assert result["default"]["settings"]["state_function"]["batching_window_seconds"] == 1
    shown = invoked(cost, "--rate", "100", "--latency", "5")
    assert shown.exit_code == 0, shown.output
    assert "together" in shown.stdout


def test_the_report_has_a_bill_for_each_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_report, "RATES", (1, 1000))
    monkeypatch.setattr(cost_report, "LATENCIES", (5,))
    monkeypatch.setattr(cost_report, "all_mixes", lambda: [Mix(0.07, 0, 10)])
    monkeypatch.setattr(cost_report, "UNITS_BATCHES", ((1000, 1),))
    (one,) = compare([Mix(0.07, 0, 10)])
    monkeypatch.setattr(
        cost_report, "compare", lambda mixes: (replace(one, mix=mix) for mix in mixes)
    )
    monkeypatch.setattr(cost_report, "ENVIRONMENTS", 2)
    monkeypatch.setattr(cost_model, "WINDOWS", (0, 1))
    done = 0

    def advance(count: int = 1, *, total: int | None = None) -> None:
        nonlocal done
        done += count

    page = cost_report.markdown(Workload(1), PRICES, TIMES, advance)
    assert done == 3
    assert "| 1 | cheapest for 5 s |" in page
    assert "| 1,000 | defaults |" in page
    assert "7% in another batch" in page
    assert "assumed: to be measured on AWS" in page
