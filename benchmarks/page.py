"""Writes docs/performance.md and docs/measured.json from the parts' results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.parts import Section, paragraph, table


@dataclass(frozen=True, slots=True)
class Measured:
    """A part's result with its machine, versions, command and date."""

    section: Section
    machine: str
    versions: str
    command: str
    date: str
    seconds: float

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Measured:
        """The result from what `asdict` made of it."""
        return cls(**{**given, "section": Section.from_json(given["section"])})


def markdown(parts: Sequence[Measured]) -> str:
    """The page."""
    targets = [target for part in parts for target in part.section.targets]
    lines = [
        "# Performance",
        "",
        "Written by `make bench`; do not edit.",
        "",
        *paragraph(
            "LEDA beside the published design of its pipeline ([the "
            "workshop](https://catalog.workshops.aws/dynamodb-labs/en-US/event-driven-architecture), implemented in "
            "[benchmarks/published](../benchmarks/published)): the same messages, in turns, on the same machine. "
            "The ratios carry over to another machine, the milliseconds do not. AWS itself was not measured."
        ),
        "",
        *paragraph(
            "Where nothing else is said, the functions are the real ones with their real clients, and DynamoDB is a "
            "stub on the loopback interface ([benchmarks/stub.py](../benchmarks/stub.py)) that answers at once or "
            "after 5 ms, without TLS. Processor time is that of the function's process, with the parsing of its "
            "event and without the stub. Brackets hold the lowest and the highest figure."
        ),
        "",
        "## Targets",
        "",
        *table(
            ["target", "wanted", "found", ""],
            [
                [each.name, each.wanted, each.found, "met" if each.met else "**not met**"]
                for each in targets
            ],
            left=4,
        ),
    ]
    for part in parts:
        lines += [
            "",
            f"## {part.section.title}",
            "",
            f"    {part.command}",
            "",
            f"{part.date}, {part.machine}; {part.versions}; {part.seconds:,.0f} s.",
            "",
            *part.section.lines,
        ]
    return "\n".join(lines) + "\n"


def service_times(parts: Sequence[Measured]) -> dict[str, Any]:
    """docs/measured.json, which `leda cost` and `leda scale` read."""
    given = [part for part in parts if part.section.figures]
    sources = dict.fromkeys(
        f"{part.command} on {part.machine}, {part.date}; {part.versions}" for part in given
    )
    figures = {name: value for part in given for name, value in part.section.figures.items()}
    return {"source": "; ".join(sources), **figures}
