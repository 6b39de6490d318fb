"""The table of a model's layers, laid out as Keras prints it."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from ... import checks
from .layer import Layer, Shape
from .network import Network
from .optimizers import Optimizer

HEADER = ("Layer (type)", "Output Shape", "Param #")
LEAST, MOST = 50, 88  # characters of a line
UNITS = ("B", "KB", "MB", "GB", "TB")
UPDATES_SIZE = 8  # bytes of the number of updates, an int64 on TensorFlow


def table(
    name: str,
    layers: Sequence[Layer],
    input_shape: Shape | None,
    network: Network | None,
    optimizer: Optimizer | None,
    line_length: int | None = None,
) -> str:
    """The layers, their outputs' shapes and parameters, and the parameters in all.

    ``input_shape`` is None, and ``network`` too, for a model that is not built.
    """
    if line_length is None:
        line_length = max(LEAST, min(MOST, shutil.get_terminal_size().columns - 4))
    length = checks.integer("line_length", line_length, low=LEAST)
    first, second = int(0.45 * length), int(0.8 * length)
    widths = [first - 3, second - first - 4, length - second - 3]  # of the text; borders and blanks take the rest
    lines = [_rule("┏━┳┓", widths), *_row(HEADER, widths, "┃"), _rule("┡━╇┩", widths)]
    for i, cells in enumerate(_cells(layers, input_shape)):
        lines += [_rule("├─┼┤", widths)] * (i > 0) + _row(cells, widths, "│")
    return "\n".join([f'Model: "{name}"', *lines, _rule("└─┴┘", widths), *_totals(layers, network, optimizer)])


def _cells(layers: Sequence[Layer], shape: Shape | None) -> list[tuple[str, str, str]]:
    """Name and class, output shape and number of parameters of each layer."""
    cells: list[tuple[str, str, str]] = []
    for layer in layers:
        shape = None if shape is None else layer.shape_after(shape)
        output = "?" if shape is None else f"({', '.join(['None', *map(str, shape)])})"
        count = f"{layer.count_params():,}" + " (unbuilt)" * (shape is None)
        cells.append((f"{layer.name} ({layer.kind})", output, count))
    return cells


def _totals(layers: Sequence[Layer], network: Network | None, optimizer: Optimizer | None) -> list[str]:
    trained = sum(layer.count_params() for layer in layers)
    size = trained * (network.dtype.itemsize if network else 0)
    lines = [_total("Trainable", trained, size), _total("Non-trainable", 0, 0)]
    if network is None or optimizer is None or not optimizer.built:
        return [_total("Total", trained, size), *lines]
    # Keras counts the learning rate and the number of updates as the optimizer's, too
    state, bytes_ = optimizer.slots * trained + 2, optimizer.slots * size + network.dtype.itemsize + UPDATES_SIZE
    return [_total("Total", trained + state, size + bytes_), *lines, _total("Optimizer", state, bytes_)]


def _total(what: str, count: int, size: float) -> str:
    unit = 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f" {what} params: {count:,} ({size:.2f} {UNITS[unit]})"


def _rule(corners: str, widths: list[int]) -> str:
    left, line, middle, right = tuple(corners)
    return left + middle.join(line * (width + 2) for width in widths) + right


def _row(cells: tuple[str, str, str], widths: list[int], border: str) -> list[str]:
    """The lines of a row: words that do not fit go to the next line, and what fits in none is cut."""
    wrapped = [
        textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)
        for cell, width in zip(cells, widths, strict=True)
    ]
    rows = []
    for i in range(max(map(len, wrapped))):
        texts = [lines[i] if i < len(lines) else "" for lines in wrapped]
        texts = [t if len(t) <= width else t[: width - 1] + "…" for t, width in zip(texts, widths, strict=True)]
        name, shape, count = texts[0].ljust(widths[0]), texts[1].ljust(widths[1]), texts[2].rjust(widths[2])
        rows.append(f"{border} {name} {border} {shape} {border} {count} {border}")
    return rows
