"""Pictures: what is drawn, on whose Axes, in light and dark, that no words overlap, and what cannot be drawn."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from PIL import Image

import fastnn
from fastnn import plots
from fastnn.dropin.keras import layers, models
from fastnn.dropin.rashid import neuralNetwork
from fastnn.errors import FastnnError, InvalidArgumentError, InvalidTypeError
from fastnn.neighbors import Scores
from fastnn.nn.lr_finder import RangeTest
from fastnn.nn.sweep import Sweep

KS = Scores((9, 1, 3), np.array([[0.8, 0.7], [0.9, 0.9], [0.95, 0.97]]))
LOSSES = np.array([2.0, 1.5, 0.5, 0.6, 3.0])
RANGE = RangeTest(np.geomspace(1e-4, 1, 5), LOSSES, np.array([2.0, 1.4, 0.6, 0.7, 2.0]), 0.01, True)
SCORES = np.array([[0.8, 0.9], [0.9, 0.92], [0.5, 0.7]])
SIZES = Sweep("sizes", tuple([784, n, 10] for n in (10, 20, 40, 80, 160)), np.ones((5, 1)), np.ones((5, 1)), True)
LAYERS = [("InputLayer", []), ("Dense", ["Activation: relu", "784 to 30"]), ("Dense", ["Activation: softmax"])]
SWEEP = Sweep("learning_rate", (0.1, 0.3, 1.0), SCORES, np.full((3, 2), 0.2), True)


@pytest.fixture(autouse=True, params=["light", "dark"])
def style(request):
    """As users have it; what is drawn on pyplot's figures is thrown away."""
    with plt.style.context("dark_background" if request.param == "dark" else "default"):
        yield request.param
    plt.close("all")


def history(epochs: int, *, held_out: bool = True, classifier: bool = True) -> fastnn.History:
    losses = [abs(epochs / 2 - i) + 1 for i in range(epochs)]
    accuracies = [1 / (1 + loss) if classifier else float("nan") for loss in losses]
    return fastnn.History(
        loss=losses,
        accuracy=accuracies,
        val_loss=losses if held_out else [],
        val_accuracy=accuracies if held_out else [],
    )


def images(count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Images of 6 x 6 in three classes, and a network that makes mistakes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, count)
    return rng.random((count, 36)) + y[:, np.newaxis] / 9, y


def plane() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    return rng.normal(size=(60, 2)) * [1, 100] + y[:, np.newaxis] * [2, 200], y


def network() -> fastnn.MLP:
    return fastnn.MLP([36, 5, 3], seed=1)


def drawings() -> dict[str, Callable[[], Axes]]:
    X, y = images()
    points, classes = plane()
    index, regressor = fastnn.Neighbors().fit(points, classes), fastnn.MLP([2, 1], output="tanh")
    return {
        "history": lambda: plots.plot_history(history(12)),
        "confusion": lambda: plots.plot_confusion(network(), X, y),
        "confusion of ten": lambda: plots.plot_confusion(np.full((10, 10), 1234)),
        "confusion of names": lambda: plots.plot_confusion([[1, 2], [3, 4]], classes=["first of two", "second of two"]),
        "mistakes": lambda: plots.plot_mistakes(network(), X, y),
        "weights": lambda: plots.plot_weights(network()),
        "weights of a table": lambda: plots.plot_weights(fastnn.MLP([7, 4, 1])),
        "boundary": lambda: plots.plot_decision_boundary(index, points, classes),
        "boundary of a regressor": lambda: plots.plot_decision_boundary(regressor, points, classes),
        "error by k": lambda: plots.plot_error_by_k(KS),
        "sweep": lambda: plots.plot_sweep(SWEEP),
        "sweep of sizes": lambda: plots.plot_sweep(SIZES),
        "backquery": lambda: plots.plot_backquery(network()),
        "lr_find": lambda: plots.plot_lr_find(RANGE),
        "layers": lambda: plots.plot_layers(LAYERS),
        "layers across": lambda: plots.plot_layers(LAYERS, across=True),
    }


NAMES = list(drawings())


def words(ax: Axes) -> list[Any]:
    """What is written outside the plot: labels, titles, ticks."""
    found = [ax.xaxis.label, ax.yaxis.label, ax.title]
    if ax.axison:
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
            found += [text for at, text in ticks if min(limits) <= at <= max(limits)]
    found += ax.texts
    return [text for text in found if text.get_text().strip() and text.get_visible()]


@pytest.mark.parametrize("name", NAMES)
def test_words_are_whole_readable_and_apart(style, name):
    ax = drawings()[name]()
    ax.figure.canvas.draw()
    paper = np.mean(to_rgb(mpl.rcParams["figure.facecolor"]))
    width, height = ax.figure.bbox.size
    for panel in ax.figure.axes:
        boxes = [(text, text.get_window_extent()) for text in words(panel)]
        for text, box in boxes:
            assert text.get_fontsize() >= 6, text
            assert box.x0 >= 0, text
            assert box.y0 >= 0, text
            assert box.x1 <= width + 1, text
            assert box.y1 <= height + 1, text
            if text not in panel.texts:  # these stand on images
                assert abs(np.mean(to_rgb(text.get_color())) - paper) > 0.25, text
        for (one, a), (other, b) in combinations(boxes, 2):
            overlap = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
            assert min(overlap) < 1, (one, other)


@pytest.mark.parametrize("name", NAMES)
def test_they_draw_something_and_can_be_saved(tmp_path, name):
    ax = drawings()[name]()
    assert isinstance(ax, Axes)
    plots.save(ax, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert max(picture.size) > 400
        assert len(picture.convert("RGB").getcolors(1 << 22)) > 10


def test_on_the_callers_axes():
    points, classes = plane()
    X, y = images()
    calls = {
        "history": lambda ax: plots.plot_history(history(3), ax=ax),
        "confusion": lambda ax: plots.plot_confusion([[1, 2], [3, 4]], ax=ax),
        "mistakes": lambda ax: plots.plot_mistakes(network(), X, y, ax=ax),
        "weights": lambda ax: plots.plot_weights(network(), ax=ax),
        "boundary": lambda ax: plots.plot_decision_boundary(fastnn.MLP([2, 3]), points, classes, ax=ax),
        "error": lambda ax: plots.plot_error_by_k(KS, ax=ax),
        "sweep": lambda ax: plots.plot_sweep(SWEEP, ax=ax),
        "backquery": lambda ax: plots.plot_backquery(network(), ax=ax),
        "lr_find": lambda ax: plots.plot_lr_find(RANGE, ax=ax),
        "layers": lambda ax: plots.plot_layers(LAYERS, ax=ax),
    }
    for name, call in calls.items():
        figure, axes = plt.subplots(1, 2)
        assert call(axes[1]) is axes[1], name
        assert not axes[0].lines, name
        assert not axes[0].images, name
        with pytest.raises(InvalidTypeError, match=r"ax: expected an Axes of matplotlib .*, found str"):
            call("a.png")
        plt.close(figure)
    assert plt.get_fignums() == []


def test_curves_with_their_best_epoch():
    ax = plots.plot_history(history(5), held_out="test")
    loss, accuracy = ax.figure.axes
    assert ax is loss
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("Loss", "Accuracy (%)")
    labels = [text.get_text() for text in loss.get_legend().get_texts()]
    assert labels == ["training", "test", "best epoch: 3"]  # of |2.5 - i| + 1 the first least one is the third
    np.testing.assert_array_equal(loss.lines[0].get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_allclose(accuracy.lines[1].get_ydata(), 100 * np.array(history(5).val_accuracy))
    assert loss.lines[0].get_linestyle() != loss.lines[1].get_linestyle()  # told apart without colour
    assert all(tick == int(tick) for tick in loss.get_xticks())
    assert loss.lines[3].get_xydata().tolist() == [[3, 1.5]]


def test_the_best_epoch_is_early_stoppings():
    found = history(5)
    found.kept_epoch = 4
    ax = plots.plot_history(found, figure="accuracy")
    assert ax.get_legend().get_texts()[-1].get_text() == "best epoch: 5"
    assert len(ax.figure.axes) == 1


@pytest.mark.parametrize("epochs", [1, 2, 100])
@pytest.mark.parametrize("held_out", [True, False])
def test_any_history(epochs, held_out):
    ax = plots.plot_history(history(epochs, held_out=held_out))
    assert len(ax.lines) == (4 if held_out else 1)
    ax = plots.plot_history(history(epochs, held_out=held_out, classifier=False))
    assert [panel.get_ylabel() for panel in ax.figure.axes] == ["Loss"]


def test_histories_of_others():
    X, y = images()
    model = models.Sequential([layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    kept = model.fit(X, y, epochs=3, validation_split=0.2, verbose=0)
    ax = plots.plot_history(kept)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), kept.history["val_loss"])
    assert len(ax.figure.axes) == 2
    older = plots.plot_history({"loss": [2, 1], "acc": [0, 1]}, figure="accuracy")
    np.testing.assert_allclose(older.lines[0].get_ydata(), [0, 100])
    from fastnn.dropin.sklearn.neural_network import MLPClassifier

    forest = MLPClassifier((4,), max_iter=3, early_stopping=True, n_iter_no_change=9, random_state=1)
    with pytest.warns(match="Maximum iterations"):
        forest.fit(X, y)
    ax = plots.plot_history(forest)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), forest.loss_curve_)
    ours = fastnn.MLPClassifier((4,), tol=1, n_iter_no_change=3, random_state=1).fit(X, y, X_val=X, y_val=y)
    ax = plots.plot_history(ours)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), ours.validation_loss_curve_)
    arrays = plots.plot_history({"loss": np.array([2.0, 1.0]), "acc": np.array([0.0, 1.0])}, figure="accuracy")
    np.testing.assert_allclose(arrays.lines[0].get_ydata(), [0, 100])
    with pytest.raises(InvalidTypeError, match="history: expected what fit returned"):
        plots.plot_history(3)


def test_confusion():
    counts = np.array([[50, 3, 0], [1, 40, 7], [0, 0, 60]])
    ax = plots.plot_confusion(counts, classes=["cat", "dog", "cow"])
    shown = {(t.get_position(), t.get_text()) for t in ax.texts if t.get_text()}
    assert shown == {((j, i), str(counts[i, j])) for i, j in zip(*np.nonzero(counts), strict=True)}
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cat", "dog", "cow"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Predicted", "True")
    np.testing.assert_array_equal(ax.images[0].get_array(), [[0, 3, 0], [1, 0, 7], [0, 0, 0]])
    plots.plot_confusion([[3, 0], [0, 4]])


def test_great_counts_are_whole():
    ax = plots.plot_confusion([[1_234_567, 0], [1, 2_000_001]])
    assert [text.get_text() for text in ax.texts] == ["1234567", "", "1", "2000001"]
    assert plots.plot_confusion([[0.5, 0.25], [0.0, 1.0]]).texts[1].get_text() == "0.25"


def test_rows_and_labels_that_do_not_belong_together():
    X, y = images()
    points, classes = plane()
    for call in (
        lambda: plots.plot_mistakes(network(), X, y[:-1]),
        lambda: plots.plot_confusion(network(), X, y[:-1]),
        lambda: plots.plot_decision_boundary(fastnn.MLP([2, 3]), points, classes[:-1]),
    ):
        with pytest.raises(InvalidArgumentError, match=r"^y: expected shape \(\d+,\), one label per row of X, found"):
            call()
    with pytest.raises(
        InvalidArgumentError, match=r"^y: expected X and y beside a model, or counts alone in its place"
    ):
        plots.plot_confusion(network(), X)
    with pytest.raises(InvalidArgumentError, match=r"^X: expected X and y beside a model"):
        plots.plot_confusion([[1, 2], [3, 4]], y=y)


def test_sparse_rows():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    X, y = images()
    dense, sparse = (plots.plot_confusion(network(), rows, y) for rows in (X, scipy_sparse.csr_array(X)))
    assert [text.get_text() for text in dense.texts] == [text.get_text() for text in sparse.texts]


def test_models_of_all_kinds_are_asked_alike():
    X, y = images()
    named = np.array(["ash", "elm", "oak"])[y]
    index = fastnn.Neighbors().fit(X[:20], named[:20])
    told = index.classify(X)
    expected = [[int(((named == a) & (told == b)).sum()) for b in ("ash", "elm", "oak")] for a in ("ash", "elm", "oak")]

    def counts(ax: Axes) -> list[list[int]]:
        found = [int(text.get_text() or 0) for text in ax.texts]
        return np.reshape(found, (3, 3)).tolist()

    for model in (index, index.classify):
        ax = plots.plot_confusion(model, X, named)
        assert counts(ax) == expected
        assert [t.get_text() for t in ax.get_xticklabels()] == ["ash", "elm", "oak"]
    keras = models.Sequential([layers.Dense(3, "softmax")])
    keras.compile("adam", "sparse_categorical_crossentropy")
    keras.fit(X, y, epochs=1, verbose=0)
    told = keras.predict(X, verbose=0).argmax(axis=1)
    expected = [[int(((y == a) & (told == b)).sum()) for b in range(3)] for a in range(3)]
    assert counts(plots.plot_confusion(keras, X, np.eye(3)[y])) == expected
    with pytest.raises(InvalidTypeError, match="model: expected something with predict"):
        plots.plot_confusion(3, X, y)
    with pytest.raises(InvalidArgumentError, match="model: expected one prediction for each row"):
        plots.plot_confusion(lambda _: [1, 2], X, y)


def test_the_surest_mistakes_come_first():
    X, y = images()
    model = network()
    model.fit(X, y, epochs=3)
    chances = model.predict_proba(X)
    wrong = np.flatnonzero(chances.argmax(axis=1) != y)
    order = wrong[np.argsort(-chances[wrong].max(axis=1), kind="stable")][:4]
    ax = plots.plot_mistakes(model, X, y, count=4)
    assert [t.get_text() for t in ax.texts] == [f"{chances[row].argmax()} not {y[row]}" for row in order]
    assert ax.get_title().startswith(f"{len(wrong)} of 40 wrong")
    assert not ax.axison
    with pytest.raises(InvalidArgumentError, match="model: expected one that makes mistakes, found none in 40 rows"):
        plots.plot_mistakes(lambda _: y, X, y)
    with pytest.raises(InvalidArgumentError, match=r"X: expected 5 x 5 pixels, found 36"):
        plots.plot_mistakes(model, X, y, shape=(5, 5))
    with pytest.raises(InvalidArgumentError, match=r"X: expected as many pixels as a square has.*found 35"):
        plots.plot_mistakes(lambda _: 1 - y, X[:, 1:], y)


def test_first_layers_of_all_kinds():
    from fastnn.dropin.sklearn.neural_network import MLPClassifier

    X, y = images()
    keras = models.Sequential([layers.Dense(5, "relu"), layers.Dense(3, "softmax")])
    keras.compile("adam", "sparse_categorical_crossentropy")
    keras.fit(X, y, epochs=1, verbose=0)
    forest = MLPClassifier((5,), max_iter=200, tol=1, random_state=1).fit(X, y)
    rashid = neuralNetwork(36, 5, 3, 0.1)
    for model, weights in (
        (network(), network().weights[0]),
        (keras, keras.get_weights()[0]),
        (forest, forest.coefs_[0]),
        (rashid, rashid.wih.T),
    ):
        canvas = plots.plot_weights(model).images[0].get_array()
        np.testing.assert_allclose(canvas[:6, :6], weights[:, 0].reshape(6, 6), rtol=1e-6)
    table = fastnn.MLP([7, 4, 1])
    canvas = plots.plot_weights(table, count=3).images[0].get_array()
    np.testing.assert_allclose(canvas, table.weights[0].T[:3], rtol=1e-6)
    with pytest.raises(InvalidArgumentError, match="model: expected one that is built, found one without weights"):
        plots.plot_weights(models.Sequential([layers.Dense(5)]))
    with pytest.raises(InvalidTypeError, match="model: expected a network, fitted"):
        plots.plot_weights(fastnn.Neighbors())


def test_boundary():
    X, y = plane()
    names = np.array(["a", "b", "c"])
    ax = plots.plot_decision_boundary(lambda points: names[(points[:, 0] > 1).astype(int)], X, names[y])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b", "c"]


@pytest.mark.filterwarnings("error")
def test_the_plane_of_a_regressor_without_targets():
    X, _ = plane()
    ax = plots.plot_decision_boundary(lambda points: points[:, 0], X)
    assert len(ax.collections[-1].get_offsets()) == len(X)


def test_a_boundary_is_where_the_model_has_it():
    X, _ = plane()
    ax = plots.plot_decision_boundary(lambda points: (points[:, 0] > 1).astype(int), X, (X[:, 0] > 1).astype(int))
    (mesh,) = ax.collections[:1]
    said = np.asarray(mesh.get_array()).reshape(plots.GRID, plots.GRID)
    at = np.linspace(*ax.get_xlim(), plots.GRID)
    assert (said[0, at < 0.95] == 0).all()
    assert (said[0, at > 1.05] == 1).all()
    assert [len(points.get_offsets()) for points in ax.collections[1:]] == np.bincount(X[:, 0] > 1).tolist()
    assert len({tuple(points.get_paths()[0].vertices.ravel()) for points in ax.collections[1:]}) == 2  # markers differ
    for rows in (X[:, :1], X[:0], np.c_[X, X]):
        with pytest.raises(InvalidArgumentError, match=r"X: expected shape \(n, 2\)"):
            plots.plot_decision_boundary(len, rows)


def test_error_by_k():
    ax = plots.plot_error_by_k(KS)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 10], [3, 4], [9, 25]])
    assert ax.get_legend().get_texts()[0].get_text() == "best k: 3"
    assert ax.get_ylabel() == "Error (%)"


def test_sweep():
    ax = plots.plot_sweep(SWEEP)
    left, right = ax.figure.axes
    np.testing.assert_allclose(left.lines[0].get_xydata(), [[0.1, 85], [0.3, 91], [1, 60]])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.2] * 3)
    assert (left.get_xlabel(), left.get_ylabel(), right.get_ylabel()) == ("learning rate", "Accuracy (%)", "Seconds")
    sizes = Sweep("sizes", ([4, 2], [4, 9, 2]), np.ones((2, 1)), np.ones((2, 1)), True)
    assert [t.get_text() for t in plots.plot_sweep(sizes).get_xticklabels()] == ["4-2", "4-9-2"]


@pytest.mark.parametrize("values", [(0.1, 0.3, 1.0), (0.3, 0.3, 0.3)])
def test_the_legend_of_a_sweep_is_of_its_own_lines(values):
    _, ax = plt.subplots()
    ax.plot([0, 1], [50, 60], color="black")
    swept = Sweep("learning_rate", values, SCORES, np.full((3, 2), 0.2), True)
    plots.plot_sweep(swept, ax=ax)
    legend = ax.figure.axes[1].get_legend()
    assert [line.get_color() for line in legend.get_lines()] == [plots.BLUE, plots.VERMILION]


def test_layers_have_a_size_of_their_own_and_fit_into_any_other():
    (own,) = plots.panels(1, *plots.layers_size(LAYERS))
    _, small = plt.subplots(figsize=(1.5, 1.5))
    sizes = []
    for ax in (own, small):
        plots.plot_layers(LAYERS, ax=ax)
        ax.figure.canvas.draw()
        (box, text) = next((patch, text) for patch, text in zip(ax.patches, ax.texts, strict=False))
        assert text.get_text() == "InputLayer"
        inside, outside = text.get_window_extent(), box.get_window_extent()
        assert outside.x0 <= inside.x0 < inside.x1 <= outside.x1
        sizes.append(text.get_fontsize())
    assert sizes[0] == 10 > sizes[1]
    with pytest.raises(InvalidArgumentError, match="layers: expected at least one row"):
        plots.plot_layers([])


def test_single_and_repeated_values():
    one = Sweep("epochs", (3,), np.ones((1, 2)), np.ones((1, 2)), True)
    twice = Sweep("epochs", (3, 3), np.ones((2, 1)), np.ones((2, 1)), False)
    mixed = Sweep("l2", (0.3, 0.1), np.array([[0.5], [0.7]]), np.ones((2, 1)), False)
    for swept in (one, twice):
        assert plots.plot_sweep(swept).lines[0].get_xdata().tolist() == list(swept.values)
    assert plots.plot_sweep(mixed).lines[0].get_xydata().tolist() == [[0.1, 0.7], [0.3, 0.5]]
    ax = plots.plot_error_by_k(Scores((5,), np.array([[0.75, 1.0]])))
    assert ax.lines[0].get_xydata().tolist() == [[5, 12.5]]


def test_backquery():
    model = network()
    canvas = plots.plot_backquery(model).images[0].get_array()
    one = model.backquery(np.where(np.arange(3) == 0, 0.99, 0.01)[np.newaxis])[0]
    top = np.flatnonzero(np.isfinite(np.ma.filled(canvas, np.nan)).any(axis=1))[0]
    np.testing.assert_allclose(canvas[top : top + 6, :6], (one.reshape(6, 6) - one.min()) / np.ptp(one), atol=1e-6)
    rashid = neuralNetwork(36, 5, 3, 0.1)
    assert [t.get_text() for t in plots.plot_backquery(rashid).texts] == ["0", "1", "2"]
    with pytest.raises(InvalidTypeError, match="model: expected an MLP, or Rashid's"):
        plots.plot_backquery(fastnn.Neighbors())


def test_lr_find():
    ax = plots.plot_lr_find(RANGE)
    assert ax.get_xscale() == "log"
    np.testing.assert_allclose(ax.lines[2].get_xydata(), [[0.01, 0.6]])
    assert "suggestion: 0.01" in [t.get_text() for t in ax.get_legend().get_texts()]


def test_unusable_arguments(tmp_path):
    with pytest.raises(InvalidArgumentError, match="history: expected at least one row"):
        plots.plot_history(history(0))
    with pytest.raises(InvalidArgumentError, match="figure: expected 'loss', as there is no accuracy"):
        plots.plot_history(history(2, classifier=False), figure="accuracy")
    for counts in ([[1, 2]], [1], np.zeros((0, 0))):
        with pytest.raises(InvalidArgumentError, match="counts: expected shape"):
            plots.plot_confusion(counts)
    with pytest.raises(InvalidArgumentError, match="classes: expected 1 names, found 2"):
        plots.plot_confusion([[1]], classes=["a", "b"])
    (ax,) = plots.panels()
    for name in ("a", "a.doc", ".png"):
        with pytest.raises(InvalidArgumentError, match=r"path: expected a name ending in .*\.png"):
            plots.save(ax, tmp_path / name)
    with pytest.raises(FastnnError, match="no: there is no such folder"):
        plots.save(ax, tmp_path / "no" / "a.png")
    with pytest.raises(FastnnError, match="cannot be written"):
        plots.save(ax, str(tmp_path / ("n" * 300)) + ".png")
    assert not list(tmp_path.iterdir())
    plots.check_plot(tmp_path / "A.PNG")


def test_a_failed_write_leaves_the_old_picture(tmp_path, monkeypatch):
    def fail(*_args):
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FastnnError, match=r"cannot be written: .*No space left"):
        plots.save(plots.panels()[0], path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for call in (lambda: plots.check_plot("a.png"), lambda: plots.plot_lr_find(RANGE)):
        with pytest.raises(FastnnError, match=r'pictures need matplotlib .*pip install "fastnn-cpu\[plot\]"'):
            call()


def test_without_scikit_learn(monkeypatch):
    for module in ("metrics", "inspection", "model_selection"):
        monkeypatch.setitem(sys.modules, f"sklearn.{module}", None)
    X, y = plane()
    for call in (
        lambda: plots.check_plot("a.png", displays=True),
        lambda: plots.plot_confusion([[1]]),
        lambda: plots.plot_decision_boundary(fastnn.MLP([2, 3]), X, y),
        lambda: plots.plot_error_by_k(KS),
        lambda: plots.plot_sweep(SWEEP),
    ):
        with pytest.raises(FastnnError, match=r'this picture needs scikit-learn .*pip install "fastnn-cpu\[plot\]"'):
            call()
    plots.check_plot("a.png")
    plots.plot_history(history(3))
    plots.plot_lr_find(RANGE)
    plots.plot_weights(network())


def test_panels_need_no_windows(run_python):
    done = run_python(
        "import sys; from fastnn import plots; (ax,) = plots.panels(); plots.plot_history({'loss': [2, 1]}, ax=ax)\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    assert done.stdout == "False\n", done.stderr


def test_names_are_shown_as_they_are():
    names = ["$5", "$5-$10", r"$\foo$"]
    ax = plots.plot_confusion(np.eye(3, dtype=int), classes=names)
    ax.figure.canvas.draw()
    assert all(text.get_text().replace(r"\$", "$") in names for text in ax.get_xticklabels())
    X, y = plane()
    ax = plots.plot_decision_boundary(lambda points: np.full(len(points), "_a"), X, np.array(["_a", "$b$"])[y % 2])
    ax.figure.canvas.draw()
    assert sorted(text.get_text() for text in ax.get_legend().get_texts()) == [" _a", r"\$b\$"]


def test_many_classes_have_no_legend():
    X, y = plane()
    ax = plots.plot_decision_boundary(lambda points: np.arange(len(points)) % 100, X, y)
    assert ax.get_legend() is None


@pytest.mark.filterwarnings("error")
def test_counts_of_bytes():
    ax = plots.plot_confusion(np.full((2, 2), 255, np.uint8))
    assert [text.get_text() for text in ax.texts] == ["255"] * 4


def test_results_and_shapes_of_another_type():
    for call in (plots.plot_error_by_k, plots.plot_sweep, plots.plot_lr_find):
        for value in (None, {}, history(2)):
            with pytest.raises(InvalidTypeError, match=r"expected what .* returned, found"):
                call(value)
    for shape in (6, "ab", (6, 6, 1), (6.0, 6.0), (None, 36)):
        with pytest.raises(InvalidTypeError, match=r"^shape"):
            plots.plot_weights(network(), shape=shape)
    with pytest.raises(InvalidArgumentError, match=r"^shape\[0\]: expected an integer of at least 1, found -6"):
        plots.plot_weights(network(), shape=(-6, -6))
    with pytest.raises(InvalidArgumentError, match=r"^X: expected as many pixels as a square has"):
        plots.plot_mistakes(lambda X: [1] * len(X), np.zeros((2, 0)), [0, 0])
    for classes in (5, "abc"):
        with pytest.raises(InvalidTypeError, match=r"^classes: expected a name for each"):
            plots.plot_confusion(np.eye(3), classes=classes)
    with pytest.raises(InvalidArgumentError, match=r"^ax: expected an Axes with four straight sides, found .*polar"):
        plots.plot_history(history(2), ax=plt.figure().add_subplot(projection="polar"))


def test_a_picture_that_matplotlib_cannot_draw(tmp_path, monkeypatch):
    (ax,) = plots.panels()
    with pytest.raises(InvalidArgumentError, match=r"^dots_per_inch: expected a finite number at least 1, found 0"):
        plots.save(ax, tmp_path / "a.png", dots_per_inch=0)
    ax.set_title(r"$\foo$")
    with pytest.raises(FastnnError, match=r"a\.png: the picture cannot be drawn: "):
        plots.save(ax, tmp_path / "a.png")
    monkeypatch.setenv("PATH", str(tmp_path))  # where no TeX is
    with pytest.raises(FastnnError, match=r"a\.pgf: the picture cannot be drawn: .*not found"):
        plots.check_plot(tmp_path / "a.pgf")
    assert not list(tmp_path.iterdir())
