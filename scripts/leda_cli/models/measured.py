"""Service times of the three functions: what the benchmark has measured, or stated figures until it has.

`make bench` writes docs/measured.json; every figure may be left out, and is then the stated one:

    {"source": "make bench on <machine>, <date>",
     "state_cpu_ms_per_1000": ..., "map_cpu_ms_per_1000": ..., "map_cpu_ms_per_1000_entries": ...,
     "reduce_cpu_ms_per_1000_entries": ..., "reduce_cpu_ms_per_1000_totals": ...,
     "invocation_cpu_ms": ..., "call_ms": ..., "statements_ms": ...}
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import ROOT

FILE = ROOT / "docs" / "measured.json"

_DESIGN = "stated, from a prototype: boto3 1.44, Python 3.13, a thousand messages, 5 ms a call"
_TIMED = "stated, from the benchmark on another machine (2026-11-29, Python 3.11)"
_ASSUMED = "assumed: to be measured on AWS"


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """Milliseconds; CPU times are those of a whole processor.

    CPU of State per 1,000 messages; of Map per 1,000 changes, and per 1,000 entries that it puts into rows of
    ReduceTable; of Reduce per 1,000 such entries, and per 1,000 totals that it writes; of an invocation whatever it
    holds (logs, metrics, one request). `call_ms` is the wall time of a request to DynamoDB for one item,
    `statements_ms` that of a request with up to 25 statements. `sources` says where each figure is from.
    """

    state_cpu_ms_per_1000: float = 91
    map_cpu_ms_per_1000: float = 10
    map_cpu_ms_per_1000_entries: float = 4
    reduce_cpu_ms_per_1000_entries: float = 4
    reduce_cpu_ms_per_1000_totals: float = 30
    invocation_cpu_ms: float = 5
    call_ms: float = 5
    statements_ms: float = 15
    sources: dict[str, str] = field(
        default_factory=lambda: {
            "state_cpu_ms_per_1000": _DESIGN,
            "map_cpu_ms_per_1000": _TIMED,
            "map_cpu_ms_per_1000_entries": _TIMED,
            "reduce_cpu_ms_per_1000_entries": _TIMED,
            "reduce_cpu_ms_per_1000_totals": _TIMED,
            "invocation_cpu_ms": _ASSUMED,
            "call_ms": f"{_ASSUMED}; the latency that the benchmark's stub has",
            "statements_ms": _ASSUMED,
        }
    )

    def figures(self) -> dict[str, float]:
        """The figures by name."""
        return {
            each.name: getattr(self, each.name) for each in fields(self) if each.name != "sources"
        }


def service_times(file: Path = FILE) -> ServiceTimes:
    """The measured times, the stated one for each that is not measured. Raises LedaError for a file it cannot read."""
    stated = ServiceTimes()
    if not file.is_file():
        return stated
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        found = {name: float(given[name]) for name in stated.figures() if name in given}
        source = f"measured: {given['source']}"
    except (ValueError, TypeError, KeyError) as error:
        raise LedaError(
            f"{file} is not what the benchmark writes ({error})", "run make bench, or delete it"
        ) from error
    return replace(stated, sources=stated.sources | dict.fromkeys(found, source), **found)
