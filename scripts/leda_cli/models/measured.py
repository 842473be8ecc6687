"""Service times of the three functions: measured on an account, measured by the benchmark, or assumed.

`make bench` writes docs/measured.json, and `leda prove` writes a file for the option --measured, whose figures override
the benchmark's. A file has the figures by the names below and their `source`, such as "make bench on <machine>,
<date>". Other names in a file are ignored. A figure that is in neither file has its default.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated

import typer

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import ROOT

# The memory at which a function has one processor. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEMORY_OF_A_PROCESSOR = 1769

FILE = ROOT / "docs" / "measured.json"

HierarchyOption = Annotated[
    str, typer.Option(help="Children of a node, level by level: 2x2x3 has 18 totals.")
]
DuplicatesOption = Annotated[
    float, typer.Option(min=0, max=0.9, help="Share of the messages that are duplicates.")
]
MeasuredOption = Annotated[
    Path | None,
    typer.Option(help="Use the figures in this file of `leda prove` instead of the benchmark's."),
]

_DESIGN = "stated, from a prototype: boto3 1.44, Python 3.13, a thousand messages, 5 ms a call"
_TIMED = "stated, from the benchmark on another machine (2026-11-29, Python 3.11)"
_ASSUMED = "assumed: to be measured on AWS"
# The pages that say how often Lambda polls a shard.
_KINESIS_POLL = "https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html"
_DYNAMODB_POLL = "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html"


def _from(source: str, default: float) -> float:
    found: float = field(default=default, metadata={"source": source})
    return found


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """Times in milliseconds, or in seconds where the name says so; CPU times are those of a whole processor.

    CPU time of State per 1,000 messages; of Map per 1,000 changes, and per 1,000 entries that it puts into rows of
    ReduceTable; of Reduce per 1,000 such entries, and per 1,000 totals that it writes; of an invocation apart from its
    records (logs, metrics, one request). `call_ms` is the wall time of a request to DynamoDB for one item,
    `statements_ms` that of a request with up to 25 statements. The polls are Lambda's polls of a shard. `sources` says
    where each figure is from.
    """

    state_cpu_ms_per_1000: float = _from(_DESIGN, 91)
    map_cpu_ms_per_1000: float = _from(_TIMED, 10)
    map_cpu_ms_per_1000_entries: float = _from(_TIMED, 4)
    reduce_cpu_ms_per_1000_entries: float = _from(_TIMED, 4)
    reduce_cpu_ms_per_1000_totals: float = _from(_TIMED, 30)
    invocation_cpu_ms: float = _from(_ASSUMED, 5)
    call_ms: float = _from(f"{_ASSUMED}; the latency that the benchmark's stub has", 5)
    statements_ms: float = _from(_ASSUMED, 15)
    kinesis_poll_seconds: float = _from(_KINESIS_POLL, 1.0)
    dynamodb_poll_seconds: float = _from(_DYNAMODB_POLL, 0.25)
    sources: dict[str, str] = field(default_factory=lambda: dict(_SOURCES))

    def figures(self) -> dict[str, float]:
        """The figures by name."""
        return {name: getattr(self, name) for name in _SOURCES}


_SOURCES: dict[str, str] = {
    each.name: each.metadata["source"] for each in fields(ServiceTimes) if each.metadata
}


def service_times(measured: Path | None = None, file: Path = FILE) -> ServiceTimes:
    """The times measured on an account; where they lack a figure, the benchmark's; otherwise the default.

    measured: the file of `leda prove`. Raises LedaError for a file that cannot be read.
    """
    found = (
        _with_figures_of(file, ServiceTimes(), "make bench") if file.is_file() else ServiceTimes()
    )
    return found if measured is None else _with_figures_of(measured, found, "leda prove")


def _with_figures_of(file: Path, times: ServiceTimes, command: str) -> ServiceTimes:
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        found = {name: float(given[name]) for name in times.figures() if name in given}
        source = f"measured: {given['source']}"
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LedaError(
            f"{file} is not what `{command}` writes ({error})",
            f"run `{command}`, or do without the file",
        ) from error
    return replace(times, sources=times.sources | dict.fromkeys(found, source), **found)
