"""Part 3: write and read units a message, of both designs, computed from their calls and items by AWS's rules."""

from __future__ import annotations

import os

from benchmarks.parts import Section, Target, paragraph
from leda_cli.pipeline_units import ENVIRONMENTS, Comparison, Mix, all_mixes, compare, markdown
from leda_cli.processes import in_processes

MOST_A_MESSAGE = 1.08


def section() -> Section:
    """Every mix, computed: there is nothing to repeat, and nothing to disturb."""
    found = list(in_processes(_compared, all_mixes(), os.cpu_count() or 1))
    dearer = [each for each in found if each.leda.per_unique() > each.published.per_unique()]
    lines = [
        *paragraph(
            "Write units per unique message, everything included (tables, checkpoints, failed conditions), computed "
            "from the calls and items of the real code by AWS's rules (`scripts/leda_cli/units.py`); no emulator "
            "counts them right. A copy costs State a read where its environment has lately met the trade "
            "(`leda/recent_versions.py`); AWS does not say which environment a batch comes to, so in some rows "
            f"copies come to any of {ENVIRONMENTS}."
        ),
        "",
        *markdown(found),
        *_why(dearer),
    ]
    targets = [
        *(
            _most(found, modifications, environments)
            for environments in (1, ENVIRONMENTS)
            for modifications in (0, 0.5)
        ),
        Target(
            "Write units against the published design",
            "at no mix more",
            _dearer(dearer, len(found)),
            not dearer,
        ),
    ]
    return Section("Write and read units", lines, targets)


def _compared(mix: Mix) -> Comparison:
    [found] = compare([mix])
    return found


def _why(dearer: list[Comparison]) -> list[str]:
    """What the mixes have in common at which LEDA writes more."""
    if not dearer:
        return []
    a_batch = max(
        (each.leda.per_unique() - each.published.per_unique()) * each.mix.batch for each in dearer
    )
    return [
        "",
        *paragraph(
            f"Where LEDA writes more, it is at most {a_batch:.1f} units a batch, whatever the batch holds: Map's delta "
            "row and checkpoint are one transaction of 4 units, where the published design puts a row for 1; Reduce's "
            "checkpoint is 2. That is what it costs that totals stay right when a retry cuts a batch otherwise or "
            "comes late, as the published design's do not ([the simulation](simulation-results.md))."
        ),
    ]


def _most(found: list[Comparison], modifications: float, environments: int) -> Target:
    """The dearest of the usual mixes: 7 % copies, batches that are worth it."""
    most = max(
        each.leda.per_unique()
        for each in found
        if each.mix.duplicates == 0.07
        and each.mix.modifications == modifications
        and each.mix.environments == environments
        and each.mix.batch >= 1000
    )
    copies = "7 % copies" + (f" to any of {environments} environments" if environments > 1 else "")
    return Target(
        f"Write units per unique message, {copies}, {modifications:.0%} modifications, batches of 1,000 and more",
        f"at most {MOST_A_MESSAGE}",
        f"{most:.3f}",
        most <= MOST_A_MESSAGE,
    )


def _dearer(dearer: list[Comparison], mixes: int) -> str:
    if not dearer:
        return f"at none of {mixes} mixes more"
    worst = max(dearer, key=lambda each: each.leda.per_unique() / each.published.per_unique())
    more = worst.leda.per_unique() / worst.published.per_unique() - 1
    batches = ", ".join(f"{batch:,}" for batch in sorted({each.mix.batch for each in dearer}))
    return f"more at {len(dearer)} of {mixes} mixes (batches of {batches}), by {more:.0%} at most"
