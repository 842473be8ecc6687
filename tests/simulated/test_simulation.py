"""Every total is exact under hundreds of seeded schedules, and the simulation detects when one is not."""

import os
import subprocess
import sys

import pytest

from leda_cli.base.paths import ROOT
from simulation.campaign import Job, Tally, campaign, play, smallest
from simulation.functions import FAULTS
from simulation.runs import SYSTEMS, plan, run

pytestmark = pytest.mark.slow

SEEDS = range(1, 301)


def play_all(system: str) -> Tally:
    tally = Tally()
    for part in campaign([Job(seed, system=system) for seed in SEEDS], os.cpu_count() or 1):
        tally.merge(part)
    return tally


@pytest.fixture(scope="module")
def played() -> Tally:
    return play_all("pipeline")


def test_every_total_is_exact_and_no_message_lost_in_three_hundred_schedules(played: Tally) -> None:
    assert played.schedules == len(SEEDS)
    assert played.wrong == [], f"play one alone: make simulate SEEDS={played.wrong[0]}"


@pytest.mark.parametrize("system", [name for name in SYSTEMS if name != "pipeline"])
def test_the_other_systems_are_exact_in_three_hundred_schedules(system: str) -> None:
    tally = play_all(system)

    assert tally.schedules == len(SEEDS)
    assert tally.wrong == [], f'play one alone: make simulate ARGS="--system {system}"'
    assert tally.counts["redelivered records"] > 20
    assert all(tally.counts[kind] > 20 for kind in ALSO.get(system, ()))
    if system in WITH_TRANSACTIONS:
        assert all(tally.counts[kind] for kind in OF_TRANSACTIONS)


ALSO = {
    "group-by": [
        *("change", "backfills", "backfills stopped half-way", "rebuilds", "stream replaced"),
        *("source rows that expired", "rows that expired", "lanes", "configuration"),
    ]
}
# The engine has no transactions. The shop's vendor orders have, and meet these faults.
WITH_TRANSACTIONS = {"shop"}
OF_TRANSACTIONS = {"transaction conflict", "transaction throttled"}


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind not in OF_TRANSACTIONS])
def test_every_kind_of_fault_happened(played: Tally, kind: str) -> None:
    assert played.counts[kind] > 20


@pytest.mark.parametrize(
    "kind",
    [
        *("split", "merge", "roll", "restart", "double", "create again", "redeliver"),
        *("clock", "deployment", "cold starts", "timeouts", "retried batches"),
        *("lanes", "configuration", "mapping off", "windows that ended", "rows that expired"),
        *("bisected batches", "partial responses", "batches at the failure destination"),
        *("redelivered records", "answered: ConditionalCheckFailedException"),
        *("answered: ThrottlingException", "stream replaced", "table restored"),
        *("records that were lost", "total damaged", "rebuilds", "rebuilds stopped half-way"),
    ],
)
def test_every_kind_of_event_happened(played: Tally, kind: str) -> None:
    assert played.counts[kind] > 20


def test_a_seed_gives_the_same_run_again() -> None:
    assert run(plan(7)).trace == run(plan(7)).trace
    assert len({run(plan(seed)).trace for seed in range(7, 12)}) == 5


def test_a_seed_gives_the_same_run_in_another_process() -> None:
    """The run does not depend on a process's hashes or on the order of imports."""
    program = "from simulation.runs import plan, run; print(run(plan(11)).trace)"
    path = os.pathsep.join(str(ROOT / folder) for folder in (".", "lambda_src", "scripts"))
    traces = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashes in ("1", "2")
    }

    assert len(traces) == 1


@pytest.mark.parametrize(
    ("system", "families"),
    [
        ("pipeline", ()),
        ("group-by", ()),
        *(("pipeline", (family,)) for family in ("errors", "lost answers", "kills")),
    ],
)
def test_the_published_design_is_exact_without_trouble_and_after_retries_of_the_same_batch(
    system: str, families: tuple[str, ...]
) -> None:
    jobs = [Job(seed, "published", families, system) for seed in range(1, 41)]

    assert play(jobs).wrong == []


@pytest.mark.parametrize(
    "family", ["other cuts", "two pollers", "created again", "late redelivery"]
)
def test_the_published_design_is_wrong_after_late_retries_and_other_batch_boundaries(
    family: str,
) -> None:
    jobs = [Job(seed, "published", (family,)) for seed in range(1, 41)]

    assert play(jobs).wrong != []


@pytest.mark.parametrize(
    "family",
    [
        *("errors", "lost answers", "kills", "other cuts", "two pollers"),
        *("created again", "late redelivery"),
    ],
)
def test_an_unconditional_add_is_wrong_after_any_redelivery(family: str) -> None:
    jobs = [Job(seed, "published", (family,), "group-by") for seed in range(1, 41)]

    assert len(play(jobs).wrong) > 10


def test_a_failing_schedule_is_reduced() -> None:
    jobs = [Job(seed, "published", ("other cuts",)) for seed in range(1, 41)]
    job = next(job for job in jobs if play([job]).wrong)

    small, result = smallest(job, tries=200, seconds=60)

    assert result.wrong
    assert run(small, "published").trace == result.trace
    assert len(small.puts) <= 3 < len(job.plan().puts)
    assert len(small.disturbances) <= 2


@pytest.mark.parametrize("system", ["pipeline", "group-by"])
def test_each_kind_of_trouble_causes_only_its_own_faults(system: str) -> None:
    for family in SYSTEMS[system].FAMILIES:
        tally = play([Job(seed, "LEDA", (family,), system) for seed in range(1, 6)])
        struck = {FAULTS[kind].family for kind in FAULTS if tally.counts[kind]}
        assert struck <= {family}
        assert tally.wrong == []
