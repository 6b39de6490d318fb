"""Pictures of trainings, models and searches. Only this module imports matplotlib.

Each function takes a fitted model, a history or a result, draws on the matplotlib Axes ``ax``, or without it on a new
figure, and returns the Axes. Nothing is shown or written by itself: ``plt.show()`` and ``ax.figure.savefig`` do that,
and :func:`save`, which leaves a whole file or none. Colours are Okabe and Ito's and matplotlib's viridis, which
colour-blind readers tell apart; ink and paper are those of the style in use, be it light or dark.

What is a scikit-learn display is drawn by it: confusion matrices, decision boundaries, and scores against a parameter.
These need scikit-learn, which the extra ``plot`` brings.

A ``model`` is an :class:`~fastnn.MLP`, :class:`~fastnn.Neighbors`, any estimator with ``predict``, a model of Keras'
drop-in, or a function of rows; any_model.py asks them.
"""

from __future__ import annotations

import importlib
import inspect
import io
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import any_model, checks
from .any_model import Model
from .errors import FastnnError, InvalidArgumentError
from .io.atomic import StrPath, check_destination, check_path, write_atomically
from .metrics import confusion_matrix
from .nn.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from .neighbors import Scores
    from .nn.lr_finder import RangeTest
    from .nn.sweep import Sweep

# Okabe & Ito (2008), those of their colours that are read on white and on black alike.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
CLASS_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE)
CLASS_MARKERS = "os^DvP"
# A panel is 690 pixels wide, which a page of README's width shows at its size or a little smaller.
DOTS_PER_INCH = 150
WIDTH, HEIGHT = 4.6, 3.4
# Inches of a picture of layers: the width of a character in its letters, of so many points, a line of a box, the way
# between two boxes, and what is left free at the edges.
LETTER_POINTS = 10
LETTER, LINE, ARROW, MARGIN = 0.085, 0.32, 0.4, 0.1
# From so many epochs on single ones are not marked, as their dots would touch.
LONG_RUN = 40
# At so many points along each axis a model is asked for its boundary: one for every two or three pixels of a panel.
GRID = 200
# From so many different real predictions on they are taken for a regressor's, and not for classes.
MANY_VALUES = 20
# So many classes have a place in a legend that is as high as the picture.
MOST_NAMED = 20
# The share of the weights that are not of the strongest colour, lest few great ones make all others pale.
STRONG = 0.995


# Files


def check_plot(path: StrPath, *, displays: bool = False) -> None:
    """Raise FastnnError if such a file cannot be written or a library is missing, so that it is known beforehand.

    ``displays`` : whether the picture is one that scikit-learn draws.
    """
    figure = _figure(1, 1)
    if displays:
        _sklearn("metrics")
    check_destination(path)
    figure.text(0, 0, "a")  # of which some file types want programs that are missing
    _rendered(figure, path, DOTS_PER_INCH)


def panels(count: int = 1, width: float = WIDTH, height: float = HEIGHT) -> list[Axes]:
    """So many Axes side by side on a figure that is no window's and that pyplot does not know, to draw on and save.

    Each is so many inches wide and high.
    """
    return list(_figure(width * count, height).subplots(1, count, squeeze=False)[0])


def save(ax: Axes, path: StrPath, *, dots_per_inch: int = DOTS_PER_INCH) -> None:
    """Write the figure of an Axes to a picture file, PNG or whatever else matplotlib writes.

    It replaces what was there only once the new file is safely on disk. Raises FastnnError if it cannot be written.
    """
    _write(_root(_checked_axes(ax)), path, dots_per_inch)


# Pictures


def plot_history(
    history: Any,
    *,
    ax: Axes | None = None,
    figure: Literal["loss", "accuracy"] | None = None,
    held_out: str = "validation",
) -> Axes:
    """Loss or accuracy over the epochs of a training, with the best epoch marked.

    ``history`` is what ``fit`` returned, of :class:`~fastnn.MLP` or of Keras' drop-in, or a fitted MLPClassifier or
    MLPRegressor of scikit-learn or its drop-in. ``held_out`` is what the validation figures are called. The best epoch
    is that of early stopping, or else that of the least validation loss.

    Without ``ax`` and ``figure`` a new figure has both the loss and, of a classifier, the accuracy beside it; returned
    is the Axes of the loss. Raises FastnnError if there is no epoch to draw, or no such figure.
    """
    found = any_model.history_of(history)
    checks.nonempty("history", len(found))
    if figure is not None:
        checks.choice("figure", figure, ("loss", "accuracy"))
    has_accuracy = not all(map(math.isnan, found.accuracy or found.val_accuracy))
    if figure == "accuracy" and not has_accuracy:
        raise InvalidArgumentError("figure", "'loss', as there is no accuracy", "'accuracy'")
    if ax is None and figure is None and has_accuracy:
        left, right = _new_axes(2)
        _draw_figure(right, found, "accuracy", held_out, has_legend=False)
        return _draw_figure(left, found, "loss", held_out)
    return _draw_figure(_axes(ax), found, figure or "loss", held_out)


def _draw_figure(ax: Axes, history: History, figure: str, held_out: str, *, has_legend: bool = True) -> Axes:
    training, other = getattr(history, figure), getattr(history, f"val_{figure}")
    factor = 100.0 if figure == "accuracy" else 1.0
    count = max(len(training), len(other))
    dots: dict[str, Any] = {"marker": "o", "markersize": 3} if count < LONG_RUN else {}
    lines = ((training, "training", BLUE, "-"), (other, _legend_name(held_out), VERMILION, "--"))
    for values, label, colour, dashes in lines:
        if len(values):
            ax.plot(range(1, len(values) + 1), np.multiply(values, factor), dashes, color=colour, label=label, **dots)
    best = history.best_epoch
    if best is not None:
        ax.axvline(best + 1, color=GREEN, linestyle=":", label=f"best epoch: {best + 1}", zorder=1)
        value = (other or training)[best] * factor
        ax.plot([best + 1], [value], "o", markersize=9, markerfacecolor="none", markeredgecolor=GREEN)
    ax.set(xlabel="Epoch", ylabel="Accuracy (%)" if figure == "accuracy" else "Loss")
    ax.locator_params(axis="x", integer=True)
    if has_legend and (len(other) or best is not None):
        _legend(ax)
    return _tidy(ax)


def plot_confusion(
    model: Model,
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    classes: Sequence[object] | None = None,
) -> Axes:
    """What a classifier takes for what: rows are the true classes of y (n,), columns what it says of X (n, inputs).

    In place of a model, X and y there may be counts (classes, classes) alone. ``classes`` are their names. Colour shows
    the mistakes alone, lest the many right answers on the diagonal outshine them. Drawn by scikit-learn's
    ConfusionMatrixDisplay. Raises FastnnError for counts of another shape, and without scikit-learn.
    """
    if (X is None) != (y is None):
        missing = "X" if X is None else "y"
        raise InvalidArgumentError(missing, "X and y beside a model, or counts alone in its place", f"no {missing}")
    if X is None or y is None:
        matrix = checks.numeric_array("counts", model)
        matrix = matrix.astype(np.float64 if matrix.dtype.kind == "f" else np.int64)  # whose sums do not overflow
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
            raise InvalidArgumentError("counts", "shape (classes, classes)", f"shape {matrix.shape}")
        names = _names(range(len(matrix)) if classes is None else classes)
    else:
        truth = any_model.labels(y, any_model.count_of(X))
        said = any_model.predictions(model, X, truth)
        occurring = np.unique(np.concatenate([truth, said]))
        matrix = confusion_matrix(truth, said, labels=occurring)
        names = _names(occurring.tolist() if classes is None else classes)
    if len(names) != len(matrix):
        raise InvalidArgumentError("classes", f"{len(matrix)} names", len(names))
    display = _sklearn("metrics").ConfusionMatrixDisplay(matrix, display_labels=names)
    ax = _axes(ax, HEIGHT * 1.15, HEIGHT)
    form = "d" if matrix.dtype.kind in "iu" else "g"
    size = _fitting(ax, len(names), 1 + max(len(format(count, form)) for count in matrix.flat), 9)
    many = {"xticks_rotation": "vertical"} if max(map(len, names)) > 3 else {}
    display.plot(ax=ax, cmap="Oranges", colorbar=False, values_format=form, text_kw={"fontsize": size}, **many)
    mistakes = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    display.im_.set_data(mistakes)
    display.im_.set_clim(0, max(1, mistakes.max() * 1.3))
    for (row, column), text in np.ndenumerate(display.text_):
        is_right = row == column
        text.set(color=BLUE if is_right else "black", weight="bold" if is_right else "normal")
        if not matrix[row, column]:
            text.set_text("")
    ax.set(xlabel="Predicted", ylabel="True")
    ax.tick_params(length=0, labelsize=max(size, 7))
    ax.spines[:].set_visible(False)
    return ax


def plot_mistakes(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    *,
    ax: Axes | None = None,
    count: int = 24,
    shape: tuple[int, int] | None = None,
) -> Axes:
    """The rows X (n, pixels) of which a classifier says something else than y (n,), and what it says.

    Of a model that tells probabilities these are the ``count`` of which it is surest, surest first; else the first.
    ``shape`` is that of an image, by default square. Raises FastnnError if there are no mistakes.
    """
    rows = checks.numeric_array("X", X)
    truth = any_model.labels(y, any_model.count_of(rows))
    checks.integer("count", count, low=1)
    said = any_model.predictions(model, X, truth)
    wrong = np.flatnonzero(said != truth)
    if not len(wrong):
        raise InvalidArgumentError("model", "one that makes mistakes", f"none in {len(truth):,} rows")
    sureness = any_model.certainty(model, rows[wrong])
    total = len(wrong)
    if sureness is not None:
        wrong = wrong[np.argsort(-sureness, kind="stable")]
    wrong = wrong[:count]
    captions = [_plain(f"{said[row]} not {truth[row]}") for row in wrong]
    ax = _axes(ax)
    _draw_images(ax, _images("X", rows[wrong], shape), captions, "gray_r")
    ax.set_title(f"{total:,} of {len(truth):,} wrong: what was said, and not", fontsize="medium")
    return ax


def plot_weights(
    model: Model, *, ax: Axes | None = None, count: int = 40, shape: tuple[int, int] | None = None
) -> Axes:
    """The weights from the inputs to each of the first ``count`` neurons of the first layer, as images.

    ``model`` is an :class:`~fastnn.MLP`, one of Keras' or Rashid's drop-in, or a multilayer perceptron of scikit-learn.
    ``shape`` is that of an image, by default square; inputs that are no square become one picture, a line for each
    neuron. Purple draws an output up, orange down, and pale is zero.
    """
    checks.integer("count", count, low=1)
    weights = any_model.first_weights(model)
    largest = float(np.quantile(np.abs(weights), STRONG)) or float(np.abs(weights).max()) or 1.0
    ax = _axes(ax)
    shown = weights.T[:count]
    if shape is None and math.isqrt(weights.shape[0]) ** 2 != weights.shape[0]:
        ax.imshow(shown, cmap="PuOr", vmin=-largest, vmax=largest, aspect="auto", interpolation="nearest")
        ax.set(xlabel="Input", ylabel="Neuron")
        ax.locator_params(integer=True)
    else:
        images = _images("the first layer's weights", shown, shape)
        _draw_images(ax, images, [], "PuOr", (-largest, largest))
    few = f"{len(shown)} of " if len(shown) < weights.shape[1] else ""
    ax.set_title(f"First layer: weights to {few}{weights.shape[1]} neurons", fontsize="medium")
    return ax


def plot_decision_boundary(model: Model, X: ArrayLike, y: ArrayLike | None = None, *, ax: Axes | None = None) -> Axes:
    """What a model says over the plane of its two inputs, and the rows X (n, 2), by their labels or targets y (n,).

    Classes have a colour and a marker each; real predictions are shown in viridis. Drawn by scikit-learn's
    DecisionBoundaryDisplay. Raises FastnnError for rows of another width, and without scikit-learn.
    """
    rows = checks.numeric_array("X", X)
    if rows.ndim != 2 or rows.shape[1] != 2 or not len(rows):
        raise InvalidArgumentError("X", "shape (n, 2), n of at least 1", f"shape {rows.shape}")
    display = _sklearn("inspection").DecisionBoundaryDisplay
    lows, highs = rows.min(axis=0).astype(float), rows.max(axis=0).astype(float)
    margins = 0.06 * np.where(highs > lows, highs - lows, 1.0)
    x, grid_y = np.meshgrid(*np.linspace(lows - margins, highs + margins, GRID).T)
    points = np.column_stack([x.ravel(), grid_y.ravel()]).astype(rows.dtype if rows.dtype.kind == "f" else float)
    truth = None if y is None else any_model.labels(y, len(rows))
    said = any_model.predictions(model, points, truth)
    response, ax = said.reshape(x.shape), _axes(ax)
    is_real = said.dtype.kind == "f" and len(np.unique(said)) > MANY_VALUES
    names = _names(getattr(X, "columns", ("first input", "second input")))
    settings: dict[str, Any] = {"xx0": x, "xx1": grid_y, "xlabel": names[0], "ylabel": names[1]}
    if "n_classes" in inspect.signature(display.__init__).parameters:
        settings["n_classes"] = 2  # that is, by the colour map below
    if is_real:
        drawn = display(response=response, **settings).plot(plot_method="pcolormesh", ax=ax, cmap="viridis")
        drawn.figure_.colorbar(drawn.surface_, ax=ax, label="predicted")
        by_target = {"color": "gray"} if truth is None else {"c": truth, "norm": drawn.surface_.norm, "cmap": "viridis"}
        ax.scatter(rows[:, 0], rows[:, 1], edgecolors="white", linewidths=0.6, s=22, **by_target)
        return _tidy(ax, grid=False)
    values = np.unique(said if truth is None else np.concatenate([said, truth]))
    colours = _class_colours(len(values))
    from matplotlib.colors import ListedColormap

    limits = {"vmin": -0.5, "vmax": len(values) - 0.5}
    places = np.searchsorted(values, response)
    paper = {"cmap": ListedColormap(colours), "alpha": 0.3, "rasterized": True, **limits}
    display(response=places, **settings).plot(plot_method="pcolormesh", ax=ax, **paper)
    for place, value in enumerate(values.tolist() if truth is not None else ()):
        here = rows[truth == value]
        marker = CLASS_MARKERS[place % len(CLASS_MARKERS)]
        look: dict[str, Any] = {"marker": marker, "edgecolors": "white", "linewidths": 0.5, "s": 26}
        ax.scatter(here[:, 0], here[:, 1], color=colours[place], label=_legend_name(value), **look)
    if truth is None:
        ax.plot(rows[:, 0], rows[:, 1], ".", color="gray")
    elif len(values) <= MOST_NAMED:  # beside the plane, which is full
        ax.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1), handletextpad=0.1)
    return _tidy(ax, grid=False)


def plot_error_by_k(scores: Scores, *, ax: Axes | None = None) -> Axes:
    """The error of the k nearest neighbours against k, the mean over the folds and their spread, and the best k.

    ``scores`` is what :func:`~fastnn.cross_validate_k` returned. Drawn by scikit-learn's ValidationCurveDisplay; raises
    FastnnError without it.
    """
    from .neighbors import Scores

    _check_result("scores", scores, Scores, "cross_validate_k")
    ax = _axes(ax)
    order = np.argsort(scores.ks)
    ks, error = np.array(scores.ks)[order], 100 * (1 - np.asarray(scores.accuracy)[order])
    _draw_scores(ax, "k", ks, error, "Error (%)", {"color": BLUE, "marker": "o"})
    best = int(np.flatnonzero(ks == scores.best_k)[0])
    ax.plot([scores.best_k], [error[best].mean()], "o", markersize=9, markerfacecolor="none", markeredgecolor=GREEN)
    ax.axvline(scores.best_k, color=GREEN, linestyle=":", label=f"best k: {scores.best_k}", zorder=1)
    _ticks_at(ax, ks)
    _legend(ax)
    return _tidy(ax)


def plot_sweep(sweep: Sweep, *, ax: Axes | None = None) -> Axes:
    """The score for each value of a parameter, and the seconds of its training on an axis at the right.

    ``sweep`` is what :func:`~fastnn.sweep` returned. Lines are means over the seeds, bands their spread. Drawn by
    scikit-learn's ValidationCurveDisplay; raises FastnnError without it.
    """
    from .nn.sweep import Sweep

    _check_result("sweep", sweep, Sweep, "fastnn.sweep")
    ax = _axes(ax)
    places, names = sweep.ticks()
    order = np.argsort(places, kind="stable")
    places, scores, seconds = places[order], sweep.scores[order], sweep.seconds[order]
    factor, label = (100, "Accuracy (%)") if sweep.is_accuracy else (1, "R2")
    look: dict[str, Any] = {"color": BLUE, "marker": "o"}
    score = _draw_scores(ax, sweep.name.replace("_", " "), places, factor * scores, label, look)
    right = ax.twinx()
    look = {"color": VERMILION, "marker": "s", "linestyle": "--"}
    time = _draw_scores(right, "", places, seconds, "Seconds", look)
    right.set_ylim(bottom=0)
    lines = [score, time]
    above: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}  # where no line can be
    right.legend(lines, [label, "Seconds"], fontsize="small", frameon=False, **above)
    for side in (ax, right):
        side.spines["top"].set_visible(False)
    if names is not None:
        for side in (ax, right):
            side.set_xscale("linear")
        ax.set_xticks(places, _names(names))
        if _fitting(ax, len(names), 2 + max(map(len, names)), 9) < 9:
            ax.tick_params(axis="x", labelrotation=30)
            for text in ax.get_xticklabels():
                text.set(ha="right", rotation_mode="anchor")
    else:
        right.set_xscale(ax.get_xscale())
        _ticks_at(ax, places)
    ax.grid(alpha=0.25)
    return ax


def plot_backquery(model: Model, *, ax: Axes | None = None, shape: tuple[int, int] | None = None) -> Axes:
    """For each class the inputs that lead back from it, as images (Rashid, Make Your Own Neural Network, part 3).

    ``model`` is an :class:`~fastnn.MLP` or one of Rashid's drop-in, with one output for each class. ``shape`` is that
    of an image, by default square.
    """
    found, names = any_model.backqueries(model)
    images = _images("model", found, shape)
    ax = _axes(ax)
    _draw_images(ax, images, _names(names), "viridis")
    ax.set_title("What leads back from each class", fontsize="medium")
    return ax


def plot_lr_find(result: RangeTest, *, ax: Axes | None = None) -> Axes:
    """The loss at each learning rate of a range test, smoothed and as it was, and the suggestion.

    ``result`` is what :meth:`fastnn.MLP.lr_find` returned.
    """
    from .nn.lr_finder import RangeTest

    _check_result("result", result, RangeTest, "lr_find")
    checks.nonempty("result", len(result))
    ax = _axes(ax)
    ax.plot(result.rates, result.losses, color=BLUE, alpha=0.5, linewidth=1, label="loss")
    ax.plot(result.rates, result.smoothed, color=BLUE, label="smoothed")
    if result.suggestion is not None:
        at = float(np.interp(np.log(result.suggestion), np.log(result.rates), result.smoothed))
        label = f"suggestion: {result.suggestion:.2g}"
        ax.plot([result.suggestion], [at], "o", color=VERMILION, markersize=8, label=label)
    ax.set(xscale="log", xlabel="Learning rate", ylabel="Loss")
    _legend(ax)
    return _tidy(ax)


def layers_size(layers: Sequence[tuple[str, Sequence[str]]], *, across: bool = False) -> tuple[float, float]:
    """The inches (width, height) of a figure on which :func:`plot_layers` draws these in its largest letters."""
    width, heights, span = _boxes(layers)
    size = (len(layers) * width + span, max(heights)) if across else (width, sum(heights) + span)
    return size[0] + 2 * MARGIN, size[1] + 2 * MARGIN


def plot_layers(layers: Sequence[tuple[str, Sequence[str]]], *, ax: Axes | None = None, across: bool = False) -> Axes:
    """A chain of layers as boxes with arrows between them, one below the other or, with ``across``, side by side.

    Each layer is (title, lines below it). Raises FastnnError if there are none.
    """
    checks.nonempty("layers", len(layers))
    width, heights, _ = _boxes(layers)
    figure_size = layers_size(layers, across=across)
    size = figure_size[0] - 2 * MARGIN, figure_size[1] - 2 * MARGIN
    ax = _axes(ax, *figure_size)
    if across:
        corners = [(i * (width + ARROW), (max(heights) + height) / 2) for i, height in enumerate(heights)]
    else:
        tops = size[1] - np.cumsum([0, *heights[:-1]]) - ARROW * np.arange(len(layers))
        corners = [(0.0, float(top)) for top in tops]
    edge = MARGIN / 2
    ax.set(xlim=(-edge, size[0] + edge), ylim=(-edge, size[1] + edge), aspect="equal")
    ax.set_axis_off()
    _root(ax).draw_without_rendering()  # so that the Axes is as large as it will be
    inch = ax.get_window_extent().width / ax.figure.dpi / (size[0] + MARGIN)
    points = min(1.0, inch) * LETTER_POINTS
    arrow = {"arrowstyle": "-|>", "color": _ink(), "shrinkA": 0, "shrinkB": 0}
    for i, ((title, lines), (left, top)) in enumerate(zip(layers, corners, strict=True)):
        _draw_box(ax, left, top, width, points, [title, *lines])
        if i:
            before = corners[i - 1]
            if across:
                start, end = (before[0] + width, max(heights) / 2), (left, max(heights) / 2)
            else:
                start, end = (width / 2, before[1] - heights[i - 1]), (width / 2, top)
            ax.annotate("", end, start, arrowprops=arrow)
    return ax


def _boxes(layers: Sequence[tuple[str, Sequence[str]]]) -> tuple[float, list[float], float]:
    """Inches: the width of all boxes, the height of each, and what the arrows between them take."""
    longest = max(len(line) for title, lines in layers for line in (title, *lines))
    return 0.4 + LETTER * longest, [LINE * (1 + len(lines)) for _, lines in layers], (len(layers) - 1) * ARROW


def _draw_box(ax: Axes, left: float, top: float, width: float, points: float, lines: Sequence[str]) -> None:
    """A box whose first line is white on black, as in Keras' pictures."""
    from matplotlib.patches import Rectangle

    for row, text in enumerate(lines):
        bottom, centre = top - LINE * (row + 1), (left + width / 2, top - LINE * (row + 0.5))
        paper, ink = ("white", "black") if row else ("black", "white")
        ax.add_patch(Rectangle((left, bottom), width, LINE, facecolor=paper, edgecolor=_ink()))
        ax.text(*centre, _plain(text), ha="center", va="center", color=ink, fontsize=points)


def _images(what: str, rows: NDArray[Any], shape: tuple[int, int] | None) -> NDArray[Any]:
    """Rows (n, pixels) as images (n, height, width), square if no shape is given."""
    rows = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    side = math.isqrt(rows.shape[1])
    height, width = (side, side) if shape is None else _checked_shape(shape)
    if height * width != rows.shape[1] or not rows.size:
        square = "as many pixels as a square has, or shape=(height, width)"
        expected = square if shape is None else f"{height} x {width} pixels"
        raise InvalidArgumentError(what, expected, rows.shape[1])
    return rows.reshape(-1, height, width)


def _checked_shape(shape: object) -> tuple[int, int]:
    if not isinstance(shape, tuple | list | np.ndarray) or len(np.atleast_1d(shape)) != 2:
        checks.unsupported("shape", "(height, width)", shape)
    return checks.integer("shape[0]", shape[0], low=1), checks.integer("shape[1]", shape[1], low=1)


def _check_result(argument: str, value: object, kind: type, function: str) -> None:
    if not isinstance(value, kind):
        checks.unsupported(argument, f"what {function} returned", value)


# Drawing


def _draw_images(
    ax: Axes,
    images: NDArray[Any],
    captions: Sequence[str],
    cmap: str,
    limits: tuple[float, float] | None = None,
) -> None:
    """Images (n, height, width) side by side in rows, each with a caption above it. Paper shows between them."""
    count, height, width = images.shape
    box = ax.get_window_extent()
    line = math.ceil(0.42 * height) if captions else 0  # pixels of the images for a caption
    gap = max(1, round(0.08 * width))
    columns = _columns(count, box.width / box.height, width + gap, height + line + gap)
    rows = -(-count // columns)
    canvas = np.full((rows * (height + line + gap), columns * (width + gap) - gap), np.nan)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        top, left = row * (height + line + gap) + line, column * (width + gap)
        low, high = limits or (float(image.min()), float(image.max()))
        canvas[top : top + height, left : left + width] = image if limits else (image - low) / ((high - low) or 1.0)
    low, high = limits or (0.0, 1.0)
    ax.imshow(canvas, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
    size = _fitting(ax, columns, max(map(len, captions), default=1), 9)
    for place, caption in enumerate(captions):
        row, column = divmod(place, columns)
        at = column * (width + gap) + width / 2 - 0.5, row * (height + line + gap) + line - 0.12 * height
        ax.text(*at, caption, ha="center", va="bottom", fontsize=size, clip_on=False)
    ax.set_axis_off()


def _columns(count: int, shape: float, width: float, height: float) -> int:
    """In how many columns so many tiles fill a box of that width to height best."""

    def misfit(columns: int) -> float:
        rows = -(-count // columns)
        return abs(math.log(columns * width / (rows * height) / shape)) + 2 * (1 - count / (rows * columns))

    return min(range(1, count + 1), key=misfit)


def _fitting(ax: Axes, columns: int, letters: int, largest: float) -> float:
    """The font size at which so many letters fit into each of so many columns."""
    points = ax.get_window_extent().width / ax.figure.dpi * 72 / columns
    return max(4.0, min(largest, points / (0.62 * max(letters, 1))))


def _draw_scores(
    ax: Axes, name: str, places: NDArray[Any], scores: NDArray[Any], label: str, line: Mapping[str, Any]
) -> Line2D:
    """Means and spread over the columns of scores (values, repeats), by scikit-learn's display; returns their line.

    One value, or the same twice, which that cannot draw, becomes points with bars.
    """
    if len(places) < 2 or len(np.unique(places)) < len(places):
        bars = ax.errorbar(places, scores.mean(axis=1), scores.std(axis=1), color=line["color"], fmt=line["marker"])
        ax.set(xlabel=name, ylabel=label)
        return bars[0]
    display = _sklearn("model_selection").ValidationCurveDisplay(
        param_name=name, param_range=places, train_scores=scores, test_scores=scores, score_name=label
    )
    band = {"color": line["color"], "alpha": 0.2, "linewidth": 0}
    display.plot(ax=ax, score_type="test", line_kw={"markersize": 4, **line}, fill_between_kw=band)
    display.lines_[0].set_label("_mean")
    if (legend := ax.get_legend()) is not None:
        legend.remove()
    return display.lines_[0]


def _ticks_at(ax: Axes, places: NDArray[Any]) -> None:
    """Label the values themselves where they are few."""
    if len(places) <= 8:
        ax.set_xticks(places, [f"{place:g}" for place in places.tolist()])
        ax.minorticks_off()


def _class_colours(count: int) -> list[Any]:
    """One for each class: Okabe and Ito's, of more classes viridis'."""
    if count <= len(CLASS_COLOURS):
        return list(CLASS_COLOURS[:count])
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0, 1, count)))


def _ink() -> str:
    """The colour of text in the style in use."""
    from matplotlib import rcParams

    return str(rcParams["text.color"])


def _legend(ax: Axes) -> None:
    """On paper of its own, so that no line goes through its words."""
    ax.legend(fontsize="small", framealpha=0.9, edgecolor="none")


def _names(names: Any) -> list[str]:
    """What classes, columns or values are called, as it is to be shown."""
    if isinstance(names, str) or not np.iterable(names):
        checks.unsupported("classes", "a name for each", names)
    return [_plain(name) for name in names]


def _plain(name: object) -> str:
    """Text whose dollar signs are shown: what is between two of them matplotlib would take for a formula."""
    return str(name).replace("$", r"\$")


def _legend_name(name: object) -> str:
    """The same in a legend, which would leave out what begins with an underscore."""
    shown = _plain(name)
    return f" {shown}" if shown.startswith("_") else shown


def _tidy(ax: Axes, *, grid: bool = True) -> Axes:
    if grid:
        ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


# Figures


def _axes(ax: Axes | None, width: float = WIDTH, height: float = HEIGHT) -> Axes:
    """The caller's Axes, or one on a new figure of pyplot's, which notebooks show by themselves."""
    return _new_axes(1, width, height)[0] if ax is None else _checked_axes(ax)


def _new_axes(count: int, width: float = WIDTH, height: float = HEIGHT) -> list[Axes]:
    _figure(1, 1)  # says what is missing
    from matplotlib import pyplot

    return list(pyplot.subplots(1, count, figsize=(width * count, height), layout="constrained", squeeze=False)[1][0])


def _checked_axes(ax: object) -> Axes:
    _figure(1, 1)
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        checks.unsupported("ax", "an Axes of matplotlib (fastnn.plots.save writes files)", ax)
    if "top" not in ax.spines:
        raise InvalidArgumentError("ax", "an Axes with four straight sides", f"one of the projection {ax.name}")
    return ax


def _root(ax: Axes) -> Figure:
    """The figure of an Axes, also of one on a part of it."""
    from matplotlib.figure import Figure

    figure: Any = ax.figure
    while not isinstance(figure, Figure):
        figure = figure.figure
    return figure


def _sklearn(module: str) -> Any:
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise FastnnError(f'this picture needs scikit-learn ({error}); pip install "fastnn-cpu[plot]"') from None


def _figure(width: float, height: float) -> Figure:
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
    write_atomically(path, [_rendered(figure, path, dots_per_inch)])


def _rendered(figure: Figure, path: StrPath, dots_per_inch: float) -> memoryview:
    """The bytes of a picture file of that name."""
    picture, form = io.BytesIO(), _file_type(path, figure)
    dots_per_inch = checks.number("dots_per_inch", dots_per_inch, low=1)
    try:
        figure.savefig(picture, format=form, dpi=dots_per_inch)
    except (RuntimeError, ValueError) as error:  # matplotlib has no errors of its own
        raise FastnnError(f"{os.fspath(path)}: the picture cannot be drawn: {str(error).strip()}") from error
    return picture.getbuffer()
