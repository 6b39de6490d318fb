"""Pictures of a training run, of what a model confuses, and of its layers. Only this module imports matplotlib."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks
from .errors import FastnnError, InvalidArgumentError
from .io.atomic import StrPath, check_destination, check_path, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .nn.history import History

TRAINING_COLOUR, HELD_OUT_COLOUR = "#1f6fb4", "#d1600a"  # told apart by colour-blind readers too
DOTS_PER_INCH = 150
LETTER, LINE, ARROW = 0.085, 0.32, 0.4  # inches: the width of a character, a line of a box, the way between boxes
LONG_RUN = 40  # epochs from which on single ones are not marked


def check_plot(path: StrPath) -> None:
    """Raise FastnnError if matplotlib is missing or cannot write such a file, so that it is known beforehand."""
    figure = _new_figure(1, 1)
    check_destination(path)
    _file_type(path, figure)


def plot_history(history: History, path: StrPath, *, held_out: str = "validation", title: str = "") -> None:
    """Draw loss and accuracy over the epochs into a picture file, PNG or whatever else matplotlib writes.

    ``held_out`` is what the validation figures are called. Accuracy is left out for a regressor. Raises FastnnError
    if there is no epoch to draw, matplotlib is missing or the file cannot be written.
    """
    checks.nonempty("history", len(history))
    with_accuracy = not np.isnan(history.accuracy).all()
    panels = [("Loss", history.loss, history.val_loss, 1.0)]
    if with_accuracy:
        panels.append(("Accuracy (%)", history.accuracy, history.val_accuracy, 100.0))
    figure = _new_figure(4.6 * len(panels), 3.6)
    for axes, (label, training, other, factor) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        _draw_curve(axes, np.multiply(training, factor), "training (mean of the epoch)", TRAINING_COLOUR)
        if other:
            _draw_curve(axes, np.multiply(other, factor), held_out, HELD_OUT_COLOUR)
            axes.legend(frameon=False)
        axes.set_xlabel("Epoch")
        axes.set_ylabel(label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    if title:
        figure.suptitle(title, fontsize="medium")
    _write(figure, path)


def plot_confusion(counts: ArrayLike, path: StrPath, *, classes: Sequence[str] | None = None, title: str = "") -> None:
    """Draw a confusion matrix into a picture file: ``counts`` (n, n), row the true class, column the predicted one.

    Colour shows each class's mistakes alone, lest the many correct ones on the diagonal outshine them. Raises
    FastnnError for counts of another shape, or as :func:`plot_history`.
    """
    matrix = checks.numeric_array("counts", counts)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise InvalidArgumentError("counts", "shape (classes, classes)", f"shape {matrix.shape}")
    names = [str(i) for i in range(len(matrix))] if classes is None else list(classes)
    if len(names) != len(matrix):
        raise InvalidArgumentError("classes", f"{len(matrix)} names", len(names))
    mistakes = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    figure = _new_figure(5.6, 5.2)
    axes = figure.subplots()
    axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1, mistakes.max() * 1.3))
    for row, column in np.ndindex(matrix.shape):
        if matrix[row, column]:
            weight, colour = ("bold", TRAINING_COLOUR) if row == column else ("normal", "black")
            text = f"{matrix[row, column]:g}"
            axes.text(column, row, text, ha="center", va="center", fontsize="small", weight=weight, color=colour)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.set_xlabel("Predicted")
    axes.set_ylabel("True")
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title, fontsize="medium")
    _write(figure, path)


def plot_layers(
    layers: Sequence[tuple[str, Sequence[str]]], path: StrPath, *, across: bool = False, dots_per_inch: int = 200
) -> None:
    """Draw a chain of layers as boxes with arrows between them into a picture file.

    Each layer is (title, lines below it). They stand one below the other or, with ``across``, side by side. Raises
    FastnnError if there are none, or as :func:`plot_history`.
    """
    checks.nonempty("layers", len(layers))
    longest = max(len(line) for title, lines in layers for line in (title, *lines))
    width = 0.4 + LETTER * longest
    heights = [LINE * (1 + len(lines)) for _, lines in layers]
    span = (len(layers) - 1) * ARROW
    if across:
        size = len(layers) * width + span, max(heights)
        corners = [(i * (width + ARROW), max(heights) / 2 + heights[i] / 2) for i in range(len(layers))]
    else:
        size = width, sum(heights) + span
        tops = size[1] - np.cumsum([0, *heights[:-1]]) - ARROW * np.arange(len(layers))
        corners = [(0.0, float(top)) for top in tops]
    figure = _new_figure(size[0] + 0.2, size[1] + 0.2)
    figure.set_layout_engine("none")  # inches are those above
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.1, size[0] + 0.1), ylim=(-0.1, size[1] + 0.1))
    axes.set_axis_off()
    for i, ((title, lines), (left, top)) in enumerate(zip(layers, corners, strict=True)):
        _draw_box(axes, left, top, width, title, lines)
        if i:
            before = corners[i - 1]
            if across:
                start, end = (before[0] + width, max(heights) / 2), (left, max(heights) / 2)
            else:
                start, end = (width / 2, before[1] - heights[i - 1]), (width / 2, top)
            axes.annotate(
                "", end, start, arrowprops={"arrowstyle": "-|>", "color": "black", "shrinkA": 0, "shrinkB": 0}
            )
    _write(figure, path, dots_per_inch)


def _draw_box(axes: Axes, left: float, top: float, width: float, title: str, lines: Sequence[str]) -> None:
    """A box whose first line is white on black, as in Keras' pictures."""
    from matplotlib.patches import Rectangle

    for row, text in enumerate((title, *lines)):
        bottom, centre = top - LINE * (row + 1), (left + width / 2, top - LINE * (row + 0.5))
        paper, ink = ("white", "black") if row else ("black", "white")
        axes.add_patch(Rectangle((left, bottom), width, LINE, facecolor=paper, edgecolor="black"))
        axes.text(*centre, text, ha="center", va="center", color=ink)


def _draw_curve(axes: Axes, values: NDArray[Any], label: str, colour: str) -> None:
    epochs = np.arange(1, len(values) + 1)
    axes.plot(epochs, values, label=label, color=colour, marker="o" if len(values) < LONG_RUN else "", markersize=3.5)


def _new_figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure  # not pyplot: no window system, no global state
    except ImportError as error:
        raise FastnnError(f'pictures need matplotlib ({error}); pip install "fastnn-cpu[plot]"') from None
    return Figure(figsize=(width, height), layout="constrained")


def _file_type(path: StrPath, figure: Figure) -> str:
    known = figure.canvas.get_supported_filetypes()
    ending = os.path.splitext(path)[1][1:].lower()
    if ending not in known:
        raise InvalidArgumentError("path", f"a name ending in .{', .'.join(sorted(known))}", repr(os.fspath(path)))
    return ending


def _write(figure: Figure, path: StrPath, dots_per_inch: int = DOTS_PER_INCH) -> None:
    check_path(path)
    picture = io.BytesIO()
    figure.savefig(picture, format=_file_type(path, figure), dpi=dots_per_inch)
    write_atomically(path, [picture.getbuffer()])
