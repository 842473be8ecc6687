"""Part 9: `leda backfill` of a large table that is written to all along, beside reading the table alone.

The table is behind HTTP (`benchmarks.table_server`), so that requests and their parsing are real; how fast DynamoDB
itself would be is not in the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks.backfill_roles import SEGMENTS
from benchmarks.backfill_table import CONFIGURATION
from benchmarks.parts import Say, Section, Target, paragraph, table
from leda_cli.base.paths import ROOT
from leda_cli.develop.instance import free_port
from leda_cli.operate.rebuilding.rebuild_parts import STREAM_SECONDS
from leda_cli.operate.rebuilding.rebuild_source import WAITING_SECONDS

ROWS, SHORT_ROWS = 1_000_000, 20_000
RATE = 200
MEMORY_MB = 300
FACTOR = 1.5


def section(short: bool, say: Say) -> Section:
    """Read a table, backfill it and read it once more, while it is written to."""
    rows = SHORT_ROWS if short else ROWS
    runs: list[tuple[str, dict[str, Any]]] = []
    with _served(rows) as endpoint:
        say(f"backfill: {rows:,} rows are there")
        for name, role in (
            ("reading alone", "read"),
            ("reading alone, again", "read"),
            ("`leda backfill`", "backfill"),
        ):
            runs.append((name, _run(role, endpoint)))
            say(f"backfill: {name}: {runs[-1][1]['seconds']:.0f} s")
    found = runs[-1][1]
    reading = sum(run["seconds"] for _, run in runs[:-1]) / (len(runs) - 1)
    factor = found["seconds"] / reading
    waits = WAITING_SECONDS + 2 * STREAM_SECONDS
    groupings = len(json.loads(CONFIGURATION.document)["group_by"])
    text = paragraph(
        f"A table of {rows:,} rows (about 250 bytes each), to which {RATE} writes per second go on; {SEGMENTS} "
        f"segments; {groupings} groupings with {found['totals']:,} totals. The table's server makes nothing but texts "
        "that are ready, so reading is bound by the client. The backfill waits "
        f"{WAITING_SECONDS:.0f} seconds for the stream after the scan, and twice {STREAM_SECONDS:.0f} seconds before "
        "its markers, however large the table is. Without these waits it took "
        f"{(found['seconds'] - waits) / reading:.2f} times as long as reading. Reduce runs in its process, and the "
        f"engine's tables are in its memory. When the writes had ended, Map got all {found['records']:,} records of "
        f"the stream: of the totals, {found['wrong']} differed from the table then."
    )
    targets = [
        Target(
            "A backfill's time, against reading the table with as many segments",
            f"at most {FACTOR}",
            f"{factor:.2f}",
            factor <= FACTOR,
        ),
        Target(
            "A backfill's memory",
            f"less than {MEMORY_MB} MB",
            f"{found['peak_mb']:.0f} MB",
            found["peak_mb"] < MEMORY_MB,
        ),
        Target(
            "Totals that differ from the table in the end",
            "none",
            str(found["wrong"]),
            not found["wrong"],
        ),
    ]
    columns = ["run", "seconds", "rows", "rows a second", "memory, MB", "totals stood still, s"]
    lines = [*text, "", *table(columns, [_line(name, run) for name, run in runs])]
    return Section("Backfill", lines, [] if short else targets)


def _line(name: str, run: Mapping[str, Any]) -> list[str]:
    return [
        name,
        f"{run['seconds']:,.0f}",
        f"{run['rows']:,}",
        f"{run['rows'] / run['seconds']:,.0f}",
        f"{run['peak_mb']:,.0f}",
        f"{run['behind']:,.0f}" if "behind" in run else "",
    ]


@contextmanager
def _served(rows: int) -> Iterator[str]:
    """The table's server, when its rows are there."""
    port = free_port()
    with _process("benchmarks.table_server", str(rows), str(RATE), str(port)) as server:
        assert server.stdout
        if server.stdout.readline().strip() != "ready":
            raise RuntimeError("the table's server did not start")
        yield f"http://127.0.0.1:{port}"


def _run(role: str, endpoint: str) -> dict[str, Any]:
    """What a role says at its end."""
    with _process("benchmarks.backfill_roles", role, endpoint) as process:
        text, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{role} has failed")
        found: dict[str, Any] = json.loads(text.splitlines()[-1])
        return found


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of that module, which is ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(("lambda_src", "scripts", "."))},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
