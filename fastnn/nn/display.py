"""What a REPL and a notebook show of a network and of its training: text, and HTML with inline SVG.

Pictures take the ink of the page that they stand on (currentColor), so that they are as well read in the dark, and tell
lines apart by dashes, not by colour. What a caller has named is escaped.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from html import escape

FONT = "font: 11px system-ui, sans-serif"
# A notebook is some 800 pixels wide: so many layers of a diagram fit, and of more the first and the last are shown.
MOST_BOXES = 8
# Pixels of the diagram: between two boxes, where a count of weights has to fit, and the width and heights of a box.
GAP, BOX, TALLEST, SHORTEST, TOP = 74, 26, 84, 14, 6
# Pixels of a small curve, of which two fit beside each other.
CURVE_WIDTH, CURVE_HEIGHT, MARGIN = 230, 84, 8
# So many classes are named: all of ten digits, and of more those that fit on a line.
NAMED_CLASSES = 10


def short_sizes(sizes: Sequence[int], most: int = 6) -> str:
    """Layer sizes in few characters: 784-30-10, of many the first and the last."""
    if len(sizes) <= most:
        return "-".join(map(str, sizes))
    return f"{'-'.join(map(str, sizes[: most - 2]))}-...-{sizes[-1]} ({len(sizes) - 1} layers)"


def short_activations(names: Sequence[str]) -> str:
    """Activations in few characters: those of the hidden layers once if they are all alike, and the last."""
    *hidden, last = names
    shown = hidden[:1] if len(set(hidden)) == 1 else hidden
    return "-".join([*shown[:4], *["..."] * (len(shown) > 4), last])


def table(title: str, rows: Sequence[Sequence[str]], total: str, width: int | None = None) -> str:
    """A line of words for each of the ``rows``, whose first is the head, in columns that ``width`` holds.

    The last column is of numbers. Where there is too little room for blanks, and then for words, they are cut.
    """
    columns = max(width or shutil.get_terminal_size().columns, 1)
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    gap = 2 if sum(widths) + 2 * (len(widths) - 1) <= columns else 1
    while sum(widths) + gap * (len(widths) - 1) > columns and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in rows:
        cells = [_cut(cell, width) for cell, width in zip(row, widths, strict=True)]
        words = [cell.ljust(width) for cell, width in zip(cells[:-1], widths[:-1], strict=True)]
        lines.append((" " * gap).join([*words, cells[-1].rjust(widths[-1])])[:columns])
    rule = "-" * min(max(map(len, lines)), columns)
    return "\n".join([_cut(title, columns), rule, lines[0], *lines[1:], rule, _cut(total, columns)])


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def diagram(
    title: str, sizes: Sequence[int], names: Sequence[str], counts: Sequence[int], classes: Sequence[str]
) -> str:
    """The layers of a network as HTML: a box each, as high as its size, and what lies between.

    ``names`` are the activations, ``counts`` the parameters of each layer, ``classes`` the labels of the outputs.
    """
    places = list(range(len(sizes)))
    if len(places) > MOST_BOXES:
        places = [*places[: MOST_BOXES - 3], -1, *places[-2:]]  # -1 stands for those left out
    height = TOP + TALLEST + 34
    total = len(places) * (BOX + GAP) - GAP + 60
    middle = TOP + TALLEST / 2
    shapes, words = [], []
    heights = [_height(sizes[place], max(sizes)) if place >= 0 else 0 for place in places]
    for i, (place, tall) in enumerate(zip(places, heights, strict=True)):
        left = 30 + i * (BOX + GAP)
        centre = left + BOX / 2
        if place < 0:
            words.append(_text(centre, middle + 4, f"{len(sizes) - len(places) + 1} more"))
            continue
        shapes.append(
            f'<rect x="{left:g}" y="{middle - tall / 2:.1f}" width="{BOX}" height="{tall:.1f}" rx="3" '
            'fill="currentColor" fill-opacity=".18" stroke="currentColor"/>'
        )
        words.append(_text(centre, TOP + TALLEST + 14, f"{sizes[place]:,}"))
        words.append(_text(centre, TOP + TALLEST + 28, names[place - 1] if place else "inputs", faint=True))
        if i and places[i - 1] >= 0:
            before, start = heights[i - 1], left - GAP
            corners = [(start, middle - before / 2), (left, middle - tall / 2)]
            corners += [(left, middle + tall / 2), (start, middle + before / 2)]
            points = " ".join(f"{x:g},{y:.1f}" for x, y in corners)
            shapes.append(f'<polygon points="{points}" fill="currentColor" fill-opacity=".07"/>')
            words.append(_text(left - GAP / 2, middle + 4, f"{counts[place - 1]:,}"))
    picture = _svg(total, height, title, [*shapes, *words])
    shown = ", ".join(classes[:NAMED_CLASSES]) + (", ..." if len(classes) > NAMED_CLASSES else "")
    return _block(title, picture, f"classes: {shown}" if shown else "")


def curves(
    title: str, note: str, figures: Sequence[tuple[str, Sequence[float], Sequence[float]]], best: int | None
) -> str:
    """Small curves as HTML: for each figure its name, and the values of training and of validation by epoch."""
    parts = []
    for place, (name, training, validation) in enumerate(figures):
        parts += _curve(place * (CURVE_WIDTH + 2 * MARGIN) + MARGIN, name, training, validation, best)
    width = len(figures) * (CURVE_WIDTH + 2 * MARGIN)
    legend = "solid: training, dashed: validation" if any(len(figure[2]) for figure in figures) else ""
    if legend and best is not None:
        legend += f", dot: best epoch ({best + 1})"
    picture = _svg(width, CURVE_HEIGHT + 34, title, parts) if any(len(figure[1]) for figure in figures) else ""
    return _block(title, picture, "; ".join(part for part in (legend, note) if part))


def _curve(
    left: float, name: str, training: Sequence[float], validation: Sequence[float], best: int | None
) -> list[str]:
    finite = [value for value in (*training, *validation) if math.isfinite(value)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    epochs = max(len(training), len(validation))
    top = 18

    def at(epoch: int, value: float) -> tuple[float, float]:
        x = left + (CURVE_WIDTH * epoch / (epochs - 1) if epochs > 1 else CURVE_WIDTH / 2)
        return x, top + CURVE_HEIGHT * (high - value) / ((high - low) or 1.0)

    base, right = top + CURVE_HEIGHT, left + CURVE_WIDTH
    parts = [_text(left, 11, name, "start"), _text(right, 11, f"{low:.4g} to {high:.4g}", "end", faint=True)]
    parts.append(f'<path d="M{left:g} {base + 2:g} h{CURVE_WIDTH}" stroke="currentColor" stroke-opacity=".4"/>')
    parts.append(_text(left, base + 14, "1", "start", faint=True))
    parts.append(_text(right, base + 14, f"epoch {epochs}", "end", faint=True))
    for values, dashes in ((training, ""), (validation, ' stroke-dasharray="4 3"')):
        points = [at(epoch, value) for epoch, value in enumerate(values) if math.isfinite(value)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        if len(points) > 1:
            parts.append(f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5"{dashes}/>')
        elif points:
            parts.append(_dot(*points[0]))
    marked = validation or training
    if best is not None and best < len(marked) and math.isfinite(marked[best]):
        parts.append(_dot(*at(best, marked[best])))
    return parts


def _height(size: int, largest: int) -> float:
    """Of a layer's box: by the logarithm, as 784 and 10 differ much."""
    return SHORTEST + (TALLEST - SHORTEST) * math.log1p(size) / math.log1p(largest)


def _dot(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="currentColor"/>'


def _text(x: float, y: float, words: str, anchor: str = "middle", *, faint: bool = False) -> str:
    look = ' fill-opacity=".7"' if faint else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="currentColor"{look}>{escape(words)}</text>'


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" style="{FONT}; max-width: 100%" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _block(title: str, picture: str, note: str) -> str:
    below = f"<div><small>{escape(note)}</small></div>" if note else ""
    return f"<div><div><code>{escape(title)}</code></div>{picture}{below}</div>"
