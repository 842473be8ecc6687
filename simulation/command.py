"""`leda simulate`: hunts for a wrong total with the deterministic simulation."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.operations import JsonOption, Operation
from simulation.campaign import Job, Tally, campaign, smallest
from simulation.functions import FAULTS
from simulation.runs import SYSTEMS

_SEEDS = re.compile(r"(\d+)(?::(\d+))?")


def simulate(
    seeds: Annotated[str, typer.Option(help="The seeds to play: FIRST:LAST, or one.")] = "1:300",
    system: Annotated[
        str | None,
        typer.Option(help="Play this system alone: pipeline, group-by, ...", show_default="all"),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            help="Let this kind of trouble alone happen.", show_default="the seed's choice"
        ),
    ] = None,
    compare: Annotated[
        int,
        typer.Option(
            min=0,
            help="Also play so many seeds of the pipeline and of group-by under each kind of trouble alone, with LEDA "
            "and with what each is compared with.",
        ),
    ] = 0,
    report: Annotated[
        Path | None, typer.Option(help="Write the result to this file, in Markdown.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play seeded schedules of deliveries, failures and reshardings; exit status 1 if a total of LEDA is wrong."""
    first, last = _range(seeds)
    if system is not None and system not in SYSTEMS:
        raise LedaError(f"there is no system {system!r}", f"choose one of {', '.join(SYSTEMS)}")
    chosen = [system] if system else list(SYSTEMS)
    possible = list(dict.fromkeys(each for name in chosen for each in SYSTEMS[name].FAMILIES))
    if only is not None and only not in possible:
        raise LedaError(f"there is no trouble {only!r}", f"choose one of {', '.join(possible)}")
    families = (only,) if only else None
    operation = Operation(as_json)
    began = time.monotonic()
    operation.heading(f"Simulating {number_of(last - first + 1, 'schedule')} of each system")
    tallies = {
        name: _played(
            operation,
            name,
            [Job(seed, families=families, system=name) for seed in range(first, last + 1)],
        )
        for name in chosen
        if only is None or only in SYSTEMS[name].FAMILIES
    }
    compared: dict[str, dict[str, dict[str, Tally]]] = {
        name: _compared(operation, name, range(first, first + compare))
        for name in chosen
        if compare and SYSTEMS[name].COMPARED_WITH
    }
    seconds = time.monotonic() - began
    result = _result(seeds, tallies, compared, seconds)
    operation.report(result, _lines(result))
    if report is not None:
        arguments = [f"--system {system}"] if system else []
        arguments += [f"--only '{only}'"] if only else []
        arguments += [f"--compare {compare}"] if compare else []
        command = f'make simulate SEEDS={seeds} ARGS="{" ".join(arguments)} --report {report}"'
        report.write_text(markdown(result, command), encoding="utf-8")
        operation.say(f"written: {report}")
    jobs = [
        Job(seed, families=families, system=name)
        for name, tally in tallies.items()
        for seed in tally.wrong
    ] + [
        Job(seed, families=(family,), system=name)
        for name, families in compared.items()
        for family, both in families.items()
        for seed in both["LEDA"].wrong
    ]
    if jobs:
        job = jobs[0]
        _explain(operation, job)
        alone = f" --only '{job.families[0]}'" if job.families else ""
        raise LedaError(
            number_of(len(jobs), "schedule ends", "schedules end")
            + f" with a wrong total or a lost message, the first with seed {job.seed}",
            f'play it alone: make simulate SEEDS={job.seed} ARGS="--system {job.system}{alone}"',
        )


def _range(seeds: str) -> tuple[int, int]:
    match = _SEEDS.fullmatch(seeds)
    first = int(match[1]) if match else 1
    last = int(match[2] or match[1]) if match else 0
    if last < first:
        raise LedaError(f"{seeds!r} names no seeds", "write FIRST:LAST, as in 1:300, or one number")
    return first, last


def _played(operation: Operation, name: str, jobs: list[Job]) -> Tally:
    tally = Tally()
    with operation.progress(f"playing {name}", total=len(jobs)) as advance:
        for part in campaign(jobs, os.cpu_count() or 1):
            tally.merge(part)
            advance(part.schedules)
            # Reported at once, because a long run may be stopped.
            if jobs[0].subject == "LEDA":
                for seed in part.wrong:
                    operation.say(f"seed {seed} ends with a wrong total or a lost message")
    return tally


def _compared(operation: Operation, name: str, seeds: Sequence[int]) -> dict[str, dict[str, Tally]]:
    """Play each kind of trouble alone. Returns the tallies by kind of trouble and subject."""
    system, found = SYSTEMS[name], {}
    for family in system.FAMILIES:
        operation.heading(f"{name}, only {family}: {number_of(len(seeds), 'schedule')} each")
        subjects = ("LEDA",) if family in system.NOT_COMPARED else ("LEDA", "published")
        found[family] = {
            subject: _played(
                operation, subject, [Job(seed, subject, (family,), name) for seed in seeds]
            )
            for subject in subjects
        }
    return found


def _explain(operation: Operation, job: Job) -> None:
    operation.heading(f"Looking for the smallest schedule that fails like seed {job.seed}")
    small, result = smallest(job)
    for line in small.text().splitlines():
        operation.say(line)
    for fault in result.struck:
        operation.say(f"struck: {fault}")
    for node, (must, found) in result.differences.items():
        operation.say(f"{node}: must be {must}, is {found}")
    if result.lost:
        operation.say(f"{result.lost} bad messages are neither counted nor in quarantine")
    if result.broken:
        operation.say(f"it does not come to its end: {result.broken}")


def _result(
    seeds: str,
    tallies: dict[str, Tally],
    compared: dict[str, dict[str, dict[str, Tally]]],
    seconds: float,
) -> dict[str, Any]:
    tally = Tally()
    for each in tallies.values():
        tally.merge(each)
    counts = dict(tally.counts)
    kinds = {"split", "merge", "roll", "restart", "double", "create again", "redeliver"}
    kinds |= {"clock", "deployment", "records lost", "total damaged", "rebuild"}
    kinds |= {"stream replaced", "backup", "table restored"}
    kinds |= {"lanes", "configuration", "mapping off", "expiry", "rows expire"}
    return {
        "seeds": seeds,
        "schedules": tally.schedules,
        "systems": {
            name: {"schedules": each.schedules, "wrong": each.wrong}
            for name, each in tallies.items()
        },
        "invocations": counts.pop("invocations", 0),
        "aws_calls": counts.pop("AWS calls", 0),
        "faults": {kind: counts.pop(kind, 0) for kind in FAULTS},
        "disturbances": {kind: counts.pop(kind, 0) for kind in sorted(kinds)},
        "also": dict(sorted(counts.items())),
        "virtual_hours": round(tally.virtual_seconds / 3600, 1),
        "seconds": round(seconds, 1),
        "compared": {
            name: {
                family: {
                    subject: {
                        "schedules": one.schedules,
                        "wrong": len(one.wrong),
                        "median_error": round(statistics.median(one.errors or [0]), 4),
                    }
                    for subject, one in both.items()
                }
                for family, both in families.items()
            }
            for name, families in compared.items()
        },
    }


def _lines(result: dict[str, Any]) -> Iterator[str]:
    yield f"schedules {result['schedules']:,}, invocations {result['invocations']:,}, AWS calls {result['aws_calls']:,}"
    for name in ("faults", "disturbances", "also"):
        yield f"{name}:"
        for kind, count in result[name].items():
            yield f"    {count:>10,}  {kind}"
    for name, families in result["compared"].items():
        for family, both in families.items():
            wrong = ", ".join(
                f"{subject} {one['wrong']:,} of {one['schedules']:,} wrong"
                for subject, one in both.items()
            )
            yield f"{name}, only {family}: {wrong}"
    for name, one in result["systems"].items():
        yield f"{name}: {number_of(one['schedules'], 'schedule')}, {len(one['wrong']):,} with a wrong total"


def markdown(result: dict[str, Any], command: str) -> str:
    """The result as a page of docs/; `command` is the command that made it."""
    lines = [
        "# What the simulation found",
        "",
        "Written by the command itself; do not edit.",
        "",
        f"    {command}",
        "",
        "| | |",
        "|---|---:|",
        *(
            f"| {name}: schedules (seeds {result['seeds']}), **with a wrong total or a lost message** | "
            f"{one['schedules']:,}, **{len(one['wrong']):,}** |"
            for name, one in result["systems"].items()
        ),
        f"| invocations of the functions | {result['invocations']:,} |",
        f"| calls to AWS | {result['aws_calls']:,} |",
        f"| simulated time | {result['virtual_hours']:,} hours |",
        f"| time it took, comparison included | {result['seconds']:,} s |",
        "",
        "| injected at a call | times | | what happened around it | times |",
        "|---|---:|---|---|---:|",
    ]
    faults = list(result["faults"].items())
    events = [*result["disturbances"].items(), *result["also"].items()]
    for place in range(max(len(faults), len(events))):
        left = f"{faults[place][0]} | {faults[place][1]:,}" if place < len(faults) else " | "
        right = f"{events[place][0]} | {events[place][1]:,}" if place < len(events) else " | "
        lines.append(f"| {left} | | {right} |")
    for name, families in result["compared"].items():
        lines += _comparison(name, families)
    return "\n".join(lines) + "\n"


def _comparison(name: str, families: dict[str, Any]) -> Iterator[str]:
    system = SYSTEMS[name]
    yield from (
        "",
        f"{name}: one kind of trouble alone, the same seeds for LEDA and for {system.COMPARED_WITH}. The error of a",
        "schedule is its largest error of a total, as a share of the largest of the totals that are wrong.",
        "",
        f"| trouble | LEDA: wrong schedules | {system.COMPARED_WITH}: wrong schedules | share | median error |",
        "|---|---:|---:|---:|---:|",
    )
    for family, both in families.items():
        ours, theirs = both["LEDA"], both.get("published")
        if theirs is None:
            wrong = f"{ours['wrong']:,} of {ours['schedules']:,}"
            yield f"| {family} | {wrong} | {system.NOT_COMPARED[family]} | | |"
            continue
        share = theirs["wrong"] / theirs["schedules"] if theirs["schedules"] else 0
        yield (
            f"| {family} | {ours['wrong']:,} of {ours['schedules']:,} | {theirs['wrong']:,} of "
            f"{theirs['schedules']:,} | {share:.1%} | {theirs['median_error']:.0%} |"
        )
