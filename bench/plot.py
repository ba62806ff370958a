"""The picture of results: bars on a logarithmic scale, an SVG readable on light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from bench.models import KINDS
from bench.summary import Line, lines

WIDTH, LEFT, RIGHT = 860, 264, 700
BAR, STEP, TOP = 15, 22, 66
LOWEST = 10.0

STYLE = """
    .page { fill: #ffffff; stroke: #d0d7de }
    .grid { stroke: #d8dee4 }
    .own { fill: #0969da }
    .peer { fill: #8c959f }
    .mark { fill: none; stroke: #8c959f; stroke-dasharray: 3 2 }
    text {
      font: 12.5px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #57606a
    }
    .title { font-size: 15px; font-weight: 600; fill: #1f2328 }
    .strong { font-weight: 600; fill: #1f2328 }
    .end { text-anchor: end }
    .middle { text-anchor: middle }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #30363d }
      .grid { stroke: #30363d }
      .own { fill: #58a6ff }
      .peer { fill: #6e7681 }
      .mark { stroke: #6e7681 }
      text { fill: #9da7b3 }
      .title, .strong { fill: #e6edf3 }
    }
"""


def draw(results: Mapping[str, Any]) -> str:
    """One panel for each model; the fastest at the top."""
    panels = {kind: _sorted(lines(results, kind)) for kind in KINDS}
    highest = max((line.rate for found in panels.values() for line in found), default=LOWEST)
    decades = max(math.ceil(math.log10(max(highest, LOWEST * 10) / LOWEST)), 1)
    parts, top = [], 14
    for kind, found in panels.items():
        parts.append(_panel(KINDS[kind], found, top, decades))
        top += TOP + STEP * len(found)
    height = top + 34
    note = "right answers a second on one core, logarithmic scale; × is to the hand-written server"
    title = "Right answers a second by server, for a random forest and a linear pipeline"
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title"',
            f'     viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
            f'  <title id="title">{title}</title>',
            f"  <style>{STYLE}  </style>",
            '  <rect class="page" x="0.5" y="0.5" rx="8"',
            f'        width="{WIDTH - 1}" height="{height - 1}"/>',
            *parts,
            f'  <text class="middle" x="{WIDTH / 2:g}" y="{height - 16}">{note}</text>',
            "</svg>\n",
        ]
    )


def _sorted(found: list[Line]) -> list[Line]:
    return sorted(found, key=lambda line: -line.rate)


def _panel(title: str, found: list[Line], top: int, decades: int) -> str:
    bottom = top + TOP - 14 + STEP * len(found)
    parts = [f'  <text class="title" x="24" y="{top + 20}">{escape(title)}</text>']
    for power in range(decades + 1):
        x = _x(LOWEST * 10**power, decades)
        label = f"{LOWEST * 10**power:,.0f}"
        parts.append(f'  <path class="grid" d="M{x:.1f} {top + 44}V{bottom}"/>')
        parts.append(f'  <text class="middle" x="{x:.1f}" y="{top + 38}">{label}</text>')
    for place, line in enumerate(found):
        parts += _bar(line, top + 50 + STEP * place, decades)
    return "\n".join(parts)


def _bar(line: Line, y: int, decades: int) -> list[str]:
    kind = "own" if line.own else "mark" if line.mark else "peer"
    strong = " strong" if line.own else ""
    end = _x(line.rate, decades)
    number = f"{line.rate:,.0f}"
    if line.ratio is not None and not line.mark:
        number += f"  ({line.ratio:,.{0 if line.ratio >= 10 else 1}f} ×)"
    base = y + BAR - 3
    return [
        f'  <text class="end{strong}" x="{LEFT - 10}" y="{base}">{escape(line.title)}</text>',
        f'  <rect class="{kind}" x="{LEFT}" y="{y}" rx="2"',
        f'        width="{end - LEFT:.1f}" height="{BAR}"/>',
        f'  <text class="{strong.strip()}" x="{end + 8:.1f}" y="{base}">{number}</text>',
    ]


def _x(rate: float, decades: int) -> float:
    share = math.log10(max(rate, LOWEST) / LOWEST) / decades
    return LEFT + (RIGHT - LEFT) * min(share, 1.0)
