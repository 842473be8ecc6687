"""The results of a proof: a JSON file for `leda scale` and `leda cost`, and a report to paste into an issue.

Neither names the account or anything in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.operate.prove.assumptions import Assumption
from leda_cli.operate.prove.findings import Finding, Level
from leda_cli.operate.prove.proof import Outcome

_REPORT = ".md"


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a run. `deployed` describes the deployment: runtime, memory, provider, and so on."""

    source: str
    deployed: Mapping[str, str]
    findings: Sequence[Finding]
    burst: Outcome
    deleted: Outcome
    rows_left: int
    assumptions: Sequence[Assumption]
    errors: Mapping[str, int]
    figures: Mapping[str, float]
    observations: Mapping[str, Any]

    @property
    def is_proved(self) -> bool:
        """Whether every total was exact, and 0 after the deletions, and no assumption failed."""
        return not (
            self.burst.wrong or self.deleted.wrong or any(each.broken for each in self.assumptions)
        )

    def as_json(self) -> dict[str, Any]:
        """The file's content: figures under the names that `leda scale --measured` reads, the rest under `proof`."""
        return {
            "source": self.source,
            **self.figures,
            "proof": {
                "exact": not self.burst.wrong,
                "totals": self.burst.totals,
                "zero_after_deletion": not self.deleted.wrong,
                "rows_left": self.rows_left,
                "deployed": dict(self.deployed),
                "findings": {
                    level.value: sum(each.level is level for each in self.findings)
                    for level in Level
                },
                "assumptions": {
                    str(each.number): {"verdict": each.verdict, "seen": list(each.broken)}
                    for each in self.assumptions
                },
                "errors": dict(self.errors),
                "observations": dict(self.observations),
            },
        }

    def markdown(self) -> Iterator[str]:
        """The report, line by line."""
        yield f"### {self.source}"
        yield ""
        yield ", ".join(f"{name} {value}" for name, value in self.deployed.items())
        yield ""
        verdict = (
            "exact"
            if not self.burst.wrong
            else f"WRONG in {number_of(len(self.burst.wrong), 'place')}"
        )
        zero = (
            "0"
            if not self.deleted.wrong
            else f"NOT 0 in {number_of(len(self.deleted.wrong), 'place')}"
        )
        yield (
            f"- {number_of(self.burst.totals, 'total')}: {verdict}, {self.burst.seconds:.1f} s after the last message; "
            f"{zero} after the deletions, {self.deleted.seconds:.1f} s after the last one"
        )
        for each in self.assumptions:
            yield f"- assumption {each.number}, {each.text}: {each.verdict}"
            yield from (f"  - {line}" for line in each.broken)
        for name, count in self.errors.items():
            yield f"- {name}: {count} in the functions' logs"
        for level in (Level.ADVICE, Level.NOT_CHECKED):
            if count := sum(each.level is level for each in self.findings):
                yield f"- checks of the deployment, {level.value}: {count}"
        yield ""
        yield "| measured | |"
        yield "|---|---:|"
        yield from (f"| {name} | {value:g} |" for name, value in self.figures.items())
        yield from (
            f"| {name} | {value:g} |"
            for name, value in self.observations.items()
            if isinstance(value, int | float)
        )
        yield ""
        yield "| stage | invocations | largest batch | duration p50, p95 (ms) | cold starts | of one, p50 (ms) |"
        yield "|---|---:|---:|---:|---:|---:|"
        for stage, seen in self.observations["stages"].items():
            yield (
                f"| {stage} | {seen['invocations']} | {seen['largest_batch']} | {seen['duration_p50_ms']:g}, "
                f"{seen['duration_p95_ms']:g} | {seen['cold_starts']} | {seen['cold_start_p50_ms'] or '-'} |"
            )

    def write(self, file: Path) -> Path:
        """Write the file, and the report beside it; returns the report's path."""
        file.write_text(json.dumps(self.as_json(), indent=2) + "\n", encoding="utf-8")
        beside = file.with_suffix(_REPORT)
        beside.write_text("\n".join(self.markdown()) + "\n", encoding="utf-8")
        return beside


def require_file(file: Path) -> None:
    """Raise LedaError if the results cannot be written to the file, before a proof is paid for."""
    if not file.absolute().parent.is_dir():
        why = f"there is no folder {file.absolute().parent}"
    elif file.is_dir():
        why = f"{file.absolute()} is a folder"
    elif file.suffix == _REPORT:
        why = f"{file} is the name of the report, which is written beside the file"
    else:
        return
    raise LedaError(why, "give another --write, like leda-proof.json")
