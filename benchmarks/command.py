"""`leda bench`: measures LEDA beside the published design, and writes docs/performance.md and docs/measured.json."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markdown import Markdown

from benchmarks import (
    arithmetic,
    backfill,
    cold_start,
    end_to_end,
    groupings,
    growth,
    machine,
    memory_use,
    stages,
    totals,
    units,
)
from benchmarks.page import Measured, markdown, service_times
from benchmarks.parts import Say, Section
from leda_cli.base.errors import LedaError
from leda_cli.base.output import console, heading, info
from leda_cli.base.paths import LOCAL, ROOT
from leda_cli.models import measured

PAGE = ROOT / "docs" / "performance.md"
RESULTS = LOCAL / "performance"
"""The last whole result of each part; the page is made of all of them."""
MEASURES = ("stages", "totals")
"""The parts whose figures the models take."""


PARTS: dict[str, Callable[[bool, Say], Section]] = {
    "stages": stages.section,
    "arithmetic": arithmetic.section,
    "units": units.section,
    "totals": totals.section,
    "groupings": groupings.section,
    "memory": memory_use.section,
    "end-to-end": end_to_end.section,
    "cold-start": cold_start.section,
    "growth": growth.section,
    "backfill": backfill.section,
}
"""Every part by its name, in the order of the page; each takes whether it is to be short."""


def bench(
    only: Annotated[
        str | None,
        typer.Option(
            help=f"Measure these parts alone, separated by commas: {', '.join(PARTS)}.",
            show_default="all",
        ),
    ] = None,
    short: Annotated[
        bool,
        typer.Option(
            "--short",
            help="Few repetitions and a small burst, to try it out: too few to be kept, so nothing is written.",
        ),
    ] = False,
) -> None:
    """Measure LEDA beside the published design; writes docs/performance.md and docs/measured.json."""
    missing = list[str]()
    command = "make bench" + (f' ARGS="--only {only}"' if only else "")
    for name in chosen(only):
        heading(f"Measuring {name}{', in short' if short else ''}")
        began = time.monotonic()
        section = PARTS[name](short, info)
        found = Measured(
            section,
            machine.description(),
            machine.versions(),
            command,
            machine.today(),
            time.monotonic() - began,
        )
        _show(section)
        if not short:
            RESULTS.mkdir(parents=True, exist_ok=True)
            (RESULTS / f"{name}.json").write_text(json.dumps(asdict(found)), encoding="utf-8")
            # After each part: the models that growth asks have the figures then, and what fails later loses nothing.
            missing = write()
    if short:
        info("A short run: its figures scatter, and nothing was written.")
        return
    written = [PAGE] if set(MEASURES) & set(missing) else [PAGE, measured.FILE]
    info(f"written: {', '.join(str(file.relative_to(ROOT)) for file in written)}")
    if missing:
        info(f"not measured here, and so not on the page: {', '.join(missing)}")


def _show(section: Section) -> None:
    # A line that a narrow window breaks is still whole; a table's cell that it breaks is hard to read.
    given, console.width = console.width, max(console.width, 120)
    console.print(Markdown("\n".join(section.lines)))
    console.width = given
    for target in section.targets:
        verdict = "met" if target.met else "NOT met"
        info(f"{target.name}: {target.found} ({target.wanted}): {verdict}")


def chosen(only: str | None) -> list[str]:
    """The parts to run, in the order of the page. Raises LedaError for one that there is not."""
    asked = set(only.split(",")) if only else {*PARTS}
    if unknown := asked - PARTS.keys():
        raise LedaError(
            f"there is no part {', '.join(sorted(unknown))}", f"choose from {', '.join(PARTS)}"
        )
    return [name for name in PARTS if name in asked]


def write() -> list[str]:
    """Write the page from every part that has a result, and the figures for the models; returns the parts without."""
    found = {
        name: Measured.from_json(json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")))
        for name in PARTS
        if (RESULTS / f"{name}.json").exists()
    }
    PAGE.write_text(markdown(list(found.values())), encoding="utf-8")
    if set(MEASURES) <= set(found):
        text = json.dumps(service_times([found[name] for name in MEASURES]), indent=2) + "\n"
        measured.FILE.write_text(text, encoding="utf-8")
    return [name for name in PARTS if name not in found]
