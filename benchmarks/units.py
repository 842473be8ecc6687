"""Part 3: write and read units a message, of both designs, computed from their calls and items by AWS's rules."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

from benchmarks.parts import Section, Target, paragraph
from leda_cli.pipeline_units import Comparison, Mix, all_mixes, compare, markdown

MOST_A_MESSAGE = 1.08


def section() -> Section:
    """Every mix, computed: there is nothing to repeat, and nothing to disturb."""
    with ProcessPoolExecutor() as processes:
        found = list(processes.map(_compared, all_mixes()))
    dearer = [each for each in found if each.leda.per_unique() > each.published.per_unique()]
    lines = [
        *paragraph(
            "Write units per unique message, everything included (tables, checkpoints, failed conditions), computed "
            "from the calls and items of the real code by AWS's rules (`scripts/leda_cli/units.py`); no emulator "
            "counts them right."
        ),
        "",
        *markdown(found),
    ]
    targets = [
        *(_most(found, modifications) for modifications in (0, 0.5)),
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


def _most(found: list[Comparison], modifications: float) -> Target:
    """The dearest of the usual mixes: 7 % copies, batches that are worth it."""
    most = max(
        each.leda.per_unique()
        for each in found
        if each.mix.duplicates == 0.07
        and each.mix.modifications == modifications
        and each.mix.batch >= 1000
    )
    return Target(
        f"Write units per unique message, 7 % copies, {modifications:.0%} modifications, batches of 1,000 and more",
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
