"""Part 9: `leda backfill` of large tables that are written to all along, beside reading the tables alone.

The table is behind HTTP (`benchmarks.table_server`), so that requests and their parsing are real; how fast DynamoDB
itself would be is not in the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.backfill_roles import SEGMENTS
from benchmarks.backfill_table import CONFIGURATION
from benchmarks.parts import Say, Section, Target, paragraph, table
from leda_cli.base.paths import ROOT
from leda_cli.develop.instance import free_port
from leda_cli.operate.rebuilding.rebuild_parts import STREAM_SECONDS
from leda_cli.operate.rebuilding.rebuild_source import WAITING_SECONDS

ROWS, SHORT_ROWS = (1_000_000, 3_000_000), (20_000,)
RATE = 200
MEMORY_MB = 300
FACTOR = 1.5

_WAITS = WAITING_SECONDS + STREAM_SECONDS


def section(short: bool, say: Say) -> Section:
    """For each size of table: read it twice, and backfill it, while it is written to."""
    targets: list[Target] = []
    lines: list[list[str]] = []
    found: list[tuple[str, dict[str, Any]]] = []
    for rows in SHORT_ROWS if short else ROWS:
        shown = f"{rows:,}"
        reading, backfill = _runs(rows, say)
        mean = sum(run["seconds"] for run in reading) / len(reading)
        names = ("reading alone", "reading alone, again", "`leda backfill`")
        runs = zip(names, [*reading, backfill], strict=True)
        lines += [_line(shown, name, run, mean) for name, run in runs]
        found.append((shown, backfill | {"without": (backfill["seconds"] - _WAITS) / mean}))
        factor = backfill["seconds"] / mean
        targets += [
            Target(
                f"A backfill of {shown} rows: time, against reading with as many segments",
                f"at most {FACTOR}",
                f"{factor:.2f}",
                factor <= FACTOR,
            ),
            Target(
                f"A backfill of {shown} rows: memory",
                f"less than {MEMORY_MB} MB",
                f"{backfill['peak_mb']:.0f} MB",
                backfill["peak_mb"] < MEMORY_MB,
            ),
            Target(
                f"A backfill of {shown} rows: totals that differ from the table in the end",
                "0",
                str(backfill["wrong"]),
                not backfill["wrong"],
            ),
        ]
    columns = ["rows", "run", "seconds", "against reading", "rows a second", "memory, MB"]
    text = _explained(found)
    return Section(
        "Backfill",
        [*text, "", *table([*columns, "totals stood still, s"], lines, left=2)],
        [] if short else targets,
    )


def _runs(rows: int, say: Say) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Figures of two readings and of a backfill of one table."""
    found = []
    with _served(rows) as endpoint:
        say(f"backfill: {rows:,} rows are there")
        for role in ("read", "read", "backfill"):
            found.append(_run(role, endpoint))
            say(f"backfill: {role}: {found[-1]['seconds']:.0f} s")
    return found[:-1], found[-1]


def _explained(found: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    groupings = len(json.loads(CONFIGURATION.document)["group_by"])
    without = " and ".join(f"{run['without']:.2f} times ({rows} rows)" for rows, run in found)
    wrong = " and ".join(f"{run['wrong']} of {run['totals']:,}" for _, run in found)
    return paragraph(
        f"Tables of rows of about 250 bytes, to which {RATE} writes per second go on; {SEGMENTS} segments; "
        f"{groupings} groupings. The table's server makes nothing but texts that are ready, so reading is bound by the "
        f"client. The backfill waits {WAITING_SECONDS:.0f} seconds for the stream after the scan, and "
        f"{STREAM_SECONDS:.0f} seconds before its first markers, however large the table is. Without these waits it "
        f"took {without} as long as reading: reading alone is a script with boto3, which parses each value of each "
        "row, and the command takes the rows as the answer's JSON has them. Reduce runs in its process, and the "
        "engine's tables are in its memory. When the writes had ended, Map got all records of the stream: "
        f"{wrong} totals differed from the table then."
    )


def _line(rows: str, name: str, run: Mapping[str, Any], reading: float) -> list[str]:
    return [
        rows,
        name,
        f"{run['seconds']:,.0f}",
        f"{run['seconds'] / reading:.2f}",
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
