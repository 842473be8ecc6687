"""Part 7: cold starts: the time of loading each function and of its first calls, its imports, and its size.

The functions run from their packages (`leda build`), unpacked as on Lambda: without bytecode and in a read-only folder,
so that each cold start compiles its imports. boto3 is this interpreter's, with bytecode.
"""

from __future__ import annotations

import compileall
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks import stub
from benchmarks.designs import LEDA, PUBLISHED, STAGES, Design
from benchmarks.environment import Environment
from benchmarks.events import Events, Messages
from benchmarks.parts import Say, Section, paragraph, table
from benchmarks.samples import Sample
from leda.engine.delta_rows import Lane, item
from leda_cli.base.locks import only_one
from leda_cli.base.paths import BUILD
from leda_cli.develop.packages import build
from leda_cli.models.pipeline_units import CONFIGURATION

_SHOWN = 8
# boto3 and all that it imports.
_SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)")


def section(short: bool, say: Say) -> Section:
    """Start each function several times."""
    repetitions = 3 if short else 7
    _compile_sdk()
    with only_one("setup"):
        build(None)
    with tempfile.TemporaryDirectory() as folder:
        unpacked = {stage: _unpacked(stage, Path(folder)) for stage in STAGES}
        starts = []
        for stage in STAGES:
            for design in (LEDA, PUBLISHED):
                where = unpacked[stage] if design is LEDA else None
                starts.append(_row(design, stage, where, repetitions))
            say(f"cold starts of {stage}")
        costs = import_milliseconds(LEDA, "state", unpacked["state"], repetitions)
    lines = [
        *paragraph(
            "Loading the handler, its first call with one record, and the second; the stub answers at once. "
            "Milliseconds of a whole processor; at 512 MB a function on Lambda has 0.29 of one, and these take so "
            "much longer."
        ),
        "",
        *table(["function", "design", "load", "first call", "second call"], starts, left=2),
        "",
        "What State's imports cost, by package (`python -X importtime`, its own time only, all of its modules):",
        "",
        *table(
            ["package", "ms"],
            [[name, f"{value:,.1f}"] for name, value in costs.most_common(_SHOWN)],
        ),
        "",
        "The packages, in KB; boto3 is the runtime's.",
        "",
        *table(["package", "zip", "unpacked"], _sizes()),
    ]
    return Section("Cold starts", lines)


def _compile_sdk() -> None:
    """Compile the SDK's bytecode where it is missing, because otherwise its import mostly measures compiling.

    A new environment has no bytecode, and the functions' processes write none.
    """
    for name in _SDK:
        spec = importlib.util.find_spec(name)
        assert spec
        assert spec.origin
        if spec.submodule_search_locations:
            compileall.compile_dir(Path(spec.origin).parent, quiet=2)
        else:
            compileall.compile_file(spec.origin, quiet=2)


def _unpacked(stage: str, folder: Path) -> Path:
    target = folder / stage
    with zipfile.ZipFile(BUILD / f"{stage}.zip") as package:
        package.extractall(target)
    return target


def _row(design: Design, stage: str, folder: Path | None, repetitions: int) -> list[str]:
    taken: dict[str, list[float]] = {"load": [], "first": [], "second": []}
    for _ in range(repetitions):
        with ExitStack() as stack:
            server = stack.enter_context(stub.running(design.tables(), design.streamed()))
            variables = {**design.variables(stage, server.endpoint), "PYTHONDONTWRITEBYTECODE": "1"}
            file = folder / "handler.py" if folder else design.files[stage]
            folders = [folder] if folder else []
            environment = stack.enter_context(Environment(file, variables, folders))
            taken["load"].append(environment.started.cpu_ms)
            for call in ("first", "second"):
                taken[call].append(environment.invoke(_event(design, stage)).cpu_ms)
    return [
        stage.title(),
        design.name,
        *(Sample.of(values).text(0 if name == "load" else 1) for name, values in taken.items()),
    ]


_EVENTS = Events()


def _event(design: Design, stage: str) -> dict[str, object]:
    """An event with one record for the stage."""
    [message] = Messages(len(design.name), duplicates=0).batch(1)
    if stage == "state":
        return _EVENTS.kinesis([message])
    return _EVENTS.dynamodb(stage, [(None, _IMAGES[design.name, stage])])


_NUMBER = {"N": "34624.51"}
_TEXT = {"S": '{"RiskType": "PV", "TradeDesk": "FXSpot", "Region": "EMEA"}'}
_IMAGES: Mapping[tuple[str, str], dict[str, object]] = {
    ("LEDA", "map"): {
        "id": {"S": "a"},
        "Version": {"N": "0"},
        "Value": _NUMBER,
        "Path": {"S": "PV:FXSpot:EMEA"},
    },
    ("LEDA", "reduce"): item(
        Lane(CONFIGURATION.version, 1, 0), "a/b", "1" * 40, CONFIGURATION.names, {"PV": (1, 1)}, 1
    ),
    ("published", "map"): {"id": {"S": "a"}, "Value": _NUMBER, "Hierarchy": _TEXT},
    ("published", "reduce"): {"MessageId": {"S": "a"}, "Message": {"S": '{"PV": 34624.51}'}},
}


def import_milliseconds(design: Design, stage: str, folder: Path, repetitions: int) -> Counter[str]:
    """The time of each top-level package's own modules, in milliseconds: the median of some runs."""
    variables = {
        **{name: os.environ[name] for name in ("PATH",) if name in os.environ},
        **design.variables(stage, "http://127.0.0.1:9"),
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    runs = []
    for _ in range(repetitions):
        done = subprocess.run(
            [sys.executable, "-P", "-X", "importtime", "-c", "import handler"],
            env=variables,
            capture_output=True,
            text=True,
            check=True,
        )
        runs.append(by_package(done.stderr))
    names = {name for run in runs for name in run}
    return Counter({name: Sample.of(run[name] for run in runs).median for name in names})


def by_package(text: str) -> Counter[str]:
    """What `-X importtime` says, summed by top-level package, in milliseconds."""
    found: Counter[str] = Counter()
    for microseconds, name in _IMPORT.findall(text):
        found[name.partition(".")[0]] += int(microseconds) / 1000  # type: ignore[assignment]
    return found


def _sizes() -> list[list[str]]:
    rows = []
    for name, entry in sorted(json.loads((BUILD / "packages.json").read_text()).items()):
        with zipfile.ZipFile(BUILD / entry["file"]) as package:
            whole = sum(info.file_size for info in package.infolist())
        rows.append([name, f"{entry['size'] / 1024:,.0f}", f"{whole / 1024:,.0f}"])
    return rows
