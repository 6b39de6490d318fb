"""Bar charts as SVG, drawn from a report's numbers: light and dark, readable without colour, no library needed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, MARGIN, NAMES, VALUES = 760, 16, 190, 96  # pixels: of all, around it, of the names' column, of the values'
ROW, BAR, TOP = 30, 18, 64  # heights: of a bar with its room, of the bar, of the title and what is under it
STYLE = """
  text { font: 14px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 } .note { font-size: 12px; fill: #59636e }
  .bar { fill: #8c959f } .own { fill: #0969da } .own-text { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #9198a1 } .bar { fill: #6e7681 } .own { fill: #4493f8 }
  }"""


class Bar(NamedTuple):
    name: str
    seconds: float
    own: bool = False  # fastnn's, which stand out by colour and by weight


def duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.0f} ms"


def bar_chart(title: str, note: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars from zero, the shortest first, each with its duration behind it."""
    bars = sorted(bars, key=lambda bar: bar.seconds)
    longest = bars[-1].seconds
    height = TOP + ROW * len(bars) + MARGIN
    room = WIDTH - 2 * MARGIN - NAMES - VALUES
    words = "; ".join(f"{bar.name} {duration(bar.seconds)}" for bar in bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title words">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="words">{escape(words)}</desc>',
        f"<style>{STYLE}\n</style>",
        f'<text class="title" x="{MARGIN}" y="{MARGIN + 12}">{escape(title)}</text>',
        f'<text class="note" x="{MARGIN}" y="{MARGIN + 32}">{escape(note)}</text>',
    ]
    for place, bar in enumerate(bars):
        top = TOP + ROW * place + (ROW - BAR) / 2
        left, length = MARGIN + NAMES, max(1.0, room * bar.seconds / longest)
        kind, weight = ("own", "own-text") if bar.own else ("bar", "plain")
        at = f'class="{weight}" y="{top + BAR - 4:g}"'
        lines += [
            f'<text {at} x="{left - 8}" text-anchor="end">{escape(bar.name)}</text>',
            f'<rect class="{kind}" x="{left}" y="{top:g}" width="{length:.1f}" height="{BAR}" rx="2"/>',
            f'<text {at} x="{left + length + 8:.1f}">{duration(bar.seconds)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
