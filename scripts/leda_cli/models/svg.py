"""Line charts as SVG text: small enough to read in a diff, and no library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 220, 40, 50
# Distinguishable for colour-blind readers: https://jfly.uni-koeln.de/color/
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")

Point = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis from `low` to `high` with a mark at each power of ten."""

    label: str
    low: float
    high: float

    def place(self, value: float) -> float:
        """The value's place on the axis, from 0 to 1."""
        inside = min(max(value, self.low), self.high)
        return math.log(inside / self.low) / math.log(self.high / self.low)

    def marks(self) -> list[float]:
        """The powers of ten on the axis."""
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1)]


def line_chart(title: str, x: Axis, y: Axis, series: Mapping[str, Sequence[Point]]) -> str:
    """A chart with a line for each of the series; a point without a y value is a cross at the top."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 22, title, weight="bold"),
        *_axes(x, y),
    ]
    for place, (name, points) in enumerate(series.items()):
        parts += _line(_COLOURS[place % len(_COLOURS)], points, x, y)
        parts += _legend(_COLOURS[place % len(_COLOURS)], name, place)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(axis: Axis, value: float) -> float:
    return _LEFT + axis.place(value) * (WIDTH - _LEFT - _RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - _BOTTOM - axis.place(value) * (HEIGHT - _TOP - _BOTTOM)


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )


def _number(mark: float) -> str:
    return f"{mark:,.0f}" if mark >= 1 else f"{mark:g}"


def _axes(x: Axis, y: Axis) -> list[str]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for mark in x.marks():
        at = _x(x, mark)
        parts.append(f'<path d="M{at:.0f} {_TOP}V{bottom}" stroke="#dddddd"/>')
        parts.append(_text(at, bottom + 18, _number(mark), "middle"))
    for mark in y.marks():
        at = _y(y, mark)
        parts.append(f'<path d="M{_LEFT} {at:.0f}H{right}" stroke="#dddddd"/>')
        parts.append(_text(_LEFT - 8, at + 4, _number(mark), "end"))
    parts.append(
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#000000" stroke-width="1"/>'
    )
    parts.append(_text((_LEFT + right) / 2, HEIGHT - 10, x.label, "middle"))
    parts.append(
        f'<text transform="translate(16 {(_TOP + bottom) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(y.label)}</text>'
    )
    return parts


def _line(colour: str, points: Sequence[Point], x: Axis, y: Axis) -> list[str]:
    known = [(_x(x, at), _y(y, value)) for at, value in points if value is not None]
    path = "L".join(f"{at:.1f} {value:.1f}" for at, value in known)
    parts = [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'] if path else []
    parts += [
        f'<circle cx="{at:.1f}" cy="{value:.1f}" r="3" fill="{colour}"/>' for at, value in known
    ]
    for at, value in points:
        if value is None:
            left, top = _x(x, at), float(_TOP)
            parts.append(
                f'<path d="M{left - 4:.1f} {top - 4:.1f}l8 8m0 -8l-8 8" stroke="{colour}" '
                'stroke-width="2"/>'
            )
    return parts


def _legend(colour: str, name: str, place: int) -> list[str]:
    left, top = WIDTH - _RIGHT + 14, _TOP + 10 + 20 * place
    return [
        f'<path d="M{left} {top}h18" stroke="{colour}" stroke-width="3"/>',
        _text(left + 24, top + 4, name),
    ]
