"""Pictures of a training run and of what a model confuses. Only this module imports matplotlib."""

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


def _write(figure: Figure, path: StrPath) -> None:
    check_path(path)
    picture = io.BytesIO()
    figure.savefig(picture, format=_file_type(path, figure), dpi=DOTS_PER_INCH)
    write_atomically(path, [picture.getbuffer()])
