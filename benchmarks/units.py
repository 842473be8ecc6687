"""Part 3: write and read units a message, of both designs, computed from their calls and items by AWS's rules."""

from __future__ import annotations

import os
from itertools import product

from benchmarks.parts import Say, Section, Target, paragraph, table
from benchmarks.totals import WIDTHS
from leda_cli.base.hierarchies import totals_of
from leda_cli.base.processes import in_processes
from leda_cli.models.pipeline_units import (
    ENVIRONMENTS,
    Comparison,
    Mix,
    Units,
    all_mixes,
    compare,
    leda_units,
    markdown,
)
from leda_cli.models.prices import of_region

MOST_A_MESSAGE = 1.08
ROWS = (1, 10)
LANES = (1, 4)
_DUPLICATES = 0.07


def section(_short: bool, _say: Say) -> Section:
    """Every mix, computed: there is nothing to repeat, and nothing to disturb."""
    processes = os.cpu_count() or 1
    found = list(in_processes(_compared, all_mixes(), processes))
    cases = list(product(WIDTHS[1:], ROWS, LANES))
    many = list(in_processes(_many_totals, cases, processes))
    dearer = [each for each in found if each.leda.per_unique() > each.published.per_unique()]
    lines = [
        *paragraph(
            "Write units per unique message, everything included (tables, checkpoints, failed conditions), computed "
            "from the calls and items of the real code by AWS's rules (`scripts/leda_cli/models/units.py`); no "
            "emulator counts them right. A duplicate costs State a read where its environment has seen the trade "
            "recently (`leda/pipeline/recent_versions.py`); AWS does not say which environment a batch comes to, so in "
            f"some rows duplicates reach any of {ENVIRONMENTS}."
        ),
        "",
        *markdown(found),
        "",
        *paragraph(_why_environments_cost()),
        "",
        *_many_lines(many),
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
        _a_total([(each.mix, each.leda) for each in found] + many),
    ]
    return Section("Write and read units", lines, targets)


def _why_environments_cost() -> str:
    duplicates = _DUPLICATES / (1 - _DUPLICATES)
    not_met = duplicates * (ENVIRONMENTS - 1) / ENVIRONMENTS
    prices = of_region("us-east-1").dynamodb
    a_read = prices.per_million_read_units / prices.per_million_write_units
    return (
        "A duplicate that reaches an environment which has not seen its trade fails a statement, and that costs a "
        "unit, as each duplicate costs the published design. "
        f"With {_DUPLICATES:.0%} duplicates there are {duplicates:.4f} of them for a "
        f"unique message, and {ENVIRONMENTS - 1} of {ENVIRONMENTS} reach another environment: {not_met:.3f} units. "
        "Reading each row before it is written would avoid them and cost a read unit per message, as much as "
        f"{a_read:.1f} write units. So State reads first only where duplicates are frequent."
    )


def _many_totals(case: tuple[tuple[int, ...], int, int]) -> tuple[Mix, Units]:
    hierarchy, rows, lanes = case
    mix = Mix(_DUPLICATES, 0, 1000, rows=rows * lanes, hierarchy=hierarchy, lanes=lanes)
    return mix, leda_units(mix, 1000 * rows)


def _many_lines(many: list[tuple[Mix, Units]]) -> list[str]:
    rows = []
    for mix, units in many:
        touched = units.touched * mix.rows / units.handled["reduce"]
        rows.append(
            [
                f"{totals_of(mix.hierarchy):,}",
                f"{mix.lanes}",
                f"{mix.rows // mix.lanes}",
                f"{units.per_unique('map'):.4f}",
                f"{units.per_unique('reduce'):.4f}",
                f"{touched:,.0f}",
                f"{units.writes['reduce'] / units.touched:.3f}",
            ]
        )
    columns = [
        "totals",
        "lanes",
        "batches of Map in a batch of Reduce",
        "Map, a message",
        "Reduce, a message",
        "totals that a batch of Reduce touches",
        "Reduce, a total",
    ]
    return [
        *paragraph(
            f"Many totals, {_DUPLICATES:.0%} duplicates, batches of 1,000: Map puts one row per lane, which costs a "
            "unit per kilobyte, and Reduce writes each total that its batch touches once, for a unit. The published "
            "design's Reduce takes up to 100 totals."
        ),
        "",
        *table(columns, rows, left=0),
    ]


def _a_total(found: list[tuple[Mix, Units]]) -> Target:
    most = max(units.writes["reduce"] / units.touched for _, units in found)
    return Target(
        "Reduce's write units for each total that a batch touches, once the totals exist",
        "1",
        f"{most:.3f} at most",
        most <= 1,
    )


def _compared(mix: Mix) -> Comparison:
    [found] = compare([mix])
    return found


def _most(found: list[Comparison], modifications: float, environments: int) -> Target:
    """The dearest of the usual mixes: 7 % duplicates, batches that are worth it."""
    most = max(
        each.leda.per_unique()
        for each in found
        if each.mix.duplicates == _DUPLICATES
        and each.mix.modifications == modifications
        and each.mix.environments == environments
        and each.mix.batch >= 1000
    )
    duplicates = f"{_DUPLICATES:.0%} duplicates" + (
        f" to any of {environments} environments" if environments > 1 else ""
    )
    return Target(
        f"Write units per unique message, {duplicates}, {modifications:.0%} modifications, batches of 1,000 and more",
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
