"""Part 9: `leda backfill` of a large table that is written to all along, beside reading the table alone.

Over Amazon's DynamoDB Local, whose conditions and streams are real. Its scan is slower than AWS's, and its stream has
one shard; so the figures compare a backfill with a reading on the same machine, and are no figures of AWS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.backfill_roles import CONFIGURATION, DESIGN, SEGMENTS, TABLE, client
from benchmarks.parts import Say, Section, Target, paragraph, table
from leda_cli import toolchain
from leda_cli.paths import ROOT

ROWS, SHORT_ROWS = 1_000_000, 20_000
RATE = 200
MEMORY_MB = 300
FACTOR = 1.5
LOADERS = 2
_QUIET_SECONDS = 3

# With the tests' support, for DynamoDB Local as a process.
sys.path.insert(0, str(ROOT / "tests"))


def section(short: bool, say: Say) -> Section:
    """Load a table, and read it and backfill it in turns while it is written to."""
    rows = SHORT_ROWS if short else ROWS
    lines: list[list[str]] = []
    with ExitStack() as stack:
        endpoint = stack.enter_context(_dynamodb_local())
        _load(endpoint, rows)
        say(f"backfill: {rows:,} rows are there")
        _enable_streams(endpoint)
        writer = stack.enter_context(_running("write", endpoint, str(rows), str(RATE)))
        reduce_table = DESIGN.table("ReduceTable")
        stack.enter_context(_running("deliver", endpoint, "reduce", reduce_table, "0"))
        runs: dict[str, dict[str, Any]] = {}
        for name, role in (
            ("reading alone", ("read",)),
            ("backfill, waiting", ("backfill", "waiting")),
            ("backfill, markers", ("backfill", "markers")),
            ("reading alone, again", ("read",)),
        ):
            runs[name] = _run(role[0], endpoint, *role[1:])
            say(f"backfill: {name}: {runs[name]['seconds']:.0f} s")
            lines.append(_line(name, runs[name]))
        writer.terminate()
        writer.wait()
        delivered = _run("deliver", endpoint, "map", TABLE, str(_QUIET_SECONDS))
        # Reduce gets to the end of what Map has written.
        _run("deliver", endpoint, "reduce", reduce_table, str(_QUIET_SECONDS))
        compared = _run("compare", endpoint)
    reading = [run["seconds"] for name, run in runs.items() if name.startswith("reading")]
    times = [run["seconds"] for name, run in runs.items() if name.startswith("backfill")]
    peak = max(run["peak_mb"] for name, run in runs.items() if name.startswith("backfill"))
    factor = max(times) / (sum(reading) / len(reading))
    text = paragraph(
        f"A table of {rows:,} rows (some 300 bytes each), to which {RATE} writes a second go on, {SEGMENTS} segments, "
        f"{len(json.loads(CONFIGURATION.document)['group_by'])} groupings. When the writes had ended, Map was given "
        f"all {delivered['records']:,} records of the table's stream, and of the {compared['totals']:,} totals "
        f"{compared['wrong']} differed from the table. A backfill's time has the waits for the streams in it. Both on "
        "DynamoDB Local: compare them with each other, and not with AWS."
    )
    targets = [
        Target(
            "A backfill's time, against reading the table with as many segments",
            f"at most {FACTOR}",
            f"{factor:.2f}",
            factor <= FACTOR,
        ),
        Target(
            "A backfill's memory", f"less than {MEMORY_MB} MB", f"{peak:.0f} MB", peak < MEMORY_MB
        ),
        Target(
            "Totals that differ from the table in the end",
            "none",
            str(compared["wrong"]),
            not compared["wrong"],
        ),
    ]
    columns = ["run", "seconds", "rows", "rows a second", "memory, MB", "totals stood still, s"]
    return Section("Backfill", [*text, "", *table(columns, lines)], [] if short else targets)


def _line(name: str, run: Mapping[str, Any]) -> list[str]:
    behind = f"{run['behind']:,.0f}" if "behind" in run else ""
    return [
        name,
        f"{run['seconds']:,.0f}",
        f"{run['rows']:,}",
        f"{run['rows'] / run['seconds']:,.0f}",
        f"{run['peak_mb']:,.0f}",
        behind,
    ]


@contextmanager
def _dynamodb_local() -> Iterator[str]:
    from support import dynamodb_local

    folder = toolchain.dynamodb_local_folder(toolchain.install_emulators(toolchain.find_node()))
    with (
        tempfile.TemporaryDirectory() as logs,
        dynamodb_local.running(
            toolchain.find_java(), folder, Path(logs) / "dynamodb.log", heap="3g"
        ) as endpoint,
    ):
        yield endpoint


def _load(endpoint: str, rows: int) -> None:
    """Make the tables and fill the one that is counted; it has no stream yet, as its rows are older."""
    dynamodb = client("dynamodb", endpoint)
    for name, keys in {
        TABLE: ("feedback_id",),
        **{name: keys for name, keys in DESIGN.tables().items() if "Score" not in name},
    }.items():
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
    each = rows // LOADERS
    with ExitStack() as stack:
        loaders = [
            stack.enter_context(_running("load", endpoint, str(n * each), str((n + 1) * each)))
            for n in range(LOADERS)
        ]
        for loader in loaders:
            if loader.wait():
                raise RuntimeError("the table could not be filled")


def _enable_streams(endpoint: str) -> None:
    dynamodb = client("dynamodb", endpoint)
    for name, view in ((TABLE, "NEW_AND_OLD_IMAGES"), (DESIGN.table("ReduceTable"), "NEW_IMAGE")):
        dynamodb.update_table(
            TableName=name, StreamSpecification={"StreamEnabled": True, "StreamViewType": view}
        )


@contextmanager
def _running(role: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of that role, which is ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.backfill_roles", role, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(("lambda_src", "scripts", "."))},
        stdout=subprocess.PIPE if role not in ("load", "write") else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if role == "backfill" else None,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _run(role: str, *arguments: str) -> dict[str, Any]:
    """What a process of that role says at its end."""
    with _running(role, *arguments) as process:
        text, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{role} has failed")
        found: dict[str, Any] = json.loads(text.splitlines()[-1])
        return found
