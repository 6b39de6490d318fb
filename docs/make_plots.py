"""Draws the pictures of docs/pictures.md by fastnn.plots, each on light and on dark paper, and writes the page.

    python docs/make_plots.py              # all of them
    python docs/make_plots.py confusion    # some
    python docs/make_plots.py --check      # say whether the page is what it would be, with all its pictures, for CI

The networks and searches that they show take some seconds. Pixels are not compared, as versions of matplotlib differ.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import fastnn
from fastnn import plots
from fastnn.dropin.rashid import neuralNetwork

mpl.use("Agg")
FOLDER = Path(__file__).resolve().parent / "pictures" / "plots"
PAGE = FOLDER.parents[1] / "pictures.md"
STYLES = {"light": {}, "dark": {"style": "dark_background", "figure.facecolor": "#0d1117", "axes.facecolor": "#0d1117"}}
DOTS_PER_INCH = 110
SHOWN = 420  # pixels of a picture on the page


@cache
def digits() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    return fastnn.datasets.load_mnist()


@cache
def trained() -> tuple[fastnn.MLP, fastnn.History]:
    """A network that learns its training set by heart."""
    (X, y), test = digits()
    model = fastnn.MLP([784, 60, 10], activation="relu", seed=1)
    history = model.fit(X[:10_000], y[:10_000], epochs=20, optimizer="adam", validation_data=test)
    return model, history


@cache
def moons(count: int = 240) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    angles, y = rng.uniform(0, np.pi, count), np.arange(count) % 2
    X = np.column_stack([np.cos(angles) * (1 - 2 * y) + y, np.sin(angles) * (1 - 2 * y) + 0.5 * y])
    return X + rng.normal(0, 0.18, X.shape), y


def history() -> Axes:
    return plots.plot_history(trained()[1])


def confusion() -> Axes:
    return plots.plot_confusion(trained()[0], *digits()[1])


def mistakes() -> Axes:
    return plots.plot_mistakes(trained()[0], *digits()[1])


def weights() -> Axes:
    (X, y), _ = digits()
    model = fastnn.MLP([784, 30, 10], seed=1)
    model.fit(X, y, epochs=5, batch_size=10, learning_rate=0.5, l2=1e-4)
    return plots.plot_weights(model)


def boundary() -> Axes:
    X, y = moons()
    model = fastnn.MLP([2, 16, 2], activation="tanh", seed=1)
    model.fit(X, y, epochs=200, learning_rate=0.3)
    return plots.plot_decision_boundary(model, X, y)


def neighbours() -> Axes:
    rng = np.random.default_rng(1)
    classes = np.repeat([0, 1, 2], 60)
    X = rng.normal(size=(180, 2)) + np.array([[0, 0], [2.4, 0.4], [1, 2.2]])[classes]
    y = np.array(["ash", "birch", "oak"])[classes]
    return plots.plot_decision_boundary(fastnn.Neighbors().fit(X, y), X, y)


def error_by_k() -> Axes:
    (X, y), _ = digits()
    return plots.plot_error_by_k(fastnn.cross_validate_k(X[:6000], y[:6000], [1, 2, 3, 4, 5, 7, 9, 12, 15]))


@cache
def swept() -> Any:
    (X, y), test = digits()
    return fastnn.sweep(
        "sizes",
        [[784, n, 10] for n in (10, 20, 40, 80, 160)],
        X,
        y,
        validation_data=test,
        seeds=3,
        epochs=3,
        batch_size=10,
        learning_rate=0.5,
    )


def sweep() -> Axes:
    return plots.plot_sweep(swept())


@cache
def rashids() -> neuralNetwork:
    (X, y), _ = digits()
    np.random.seed(1)
    network = neuralNetwork(784, 200, 10, 0.1)
    for row in range(20_000):
        network.train(X[row] / 255 * 0.99 + 0.01, np.where(np.arange(10) == y[row], 0.99, 0.01))
    return network


def backquery() -> Axes:
    return plots.plot_backquery(rashids())


def lr_find() -> Axes:
    (X, y), _ = digits()
    model = fastnn.MLP([784, 128, 10], activation="relu", init="he", seed=1)
    return plots.plot_lr_find(model.lr_find(X, y, optimizer="adam"))


# The function, what the page says of it, and the line that makes it.
PICTURES: list[tuple[Callable[[], Axes], str, str]] = [
    (
        history,
        "A training, with its best epoch",
        "plots.plot_history(model.fit(X, y, validation_data=test))",
    ),
    (confusion, "What is taken for what", "plots.plot_confusion(model, X_test, y_test)"),
    (mistakes, "Mistakes, the surest first", "plots.plot_mistakes(model, X_test, y_test)"),
    (weights, "What each hidden neuron looks for", "plots.plot_weights(model)"),
    (boundary, "Decision boundary of a network", "plots.plot_decision_boundary(model, X, y)"),
    (neighbours, "and of neighbours", "plots.plot_decision_boundary(fastnn.Neighbors().fit(X, y), X, y)"),
    (error_by_k, "Error against k", "plots.plot_error_by_k(fastnn.cross_validate_k(X, y, [1, 3, 5, 7, 9]))"),
    (
        sweep,
        "Accuracy and time against a parameter",
        'plots.plot_sweep(fastnn.sweep("sizes", [[784, 10, 10], [784, 20, 10]], X, y, validation_data=test))',
    ),
    (backquery, "What leads back from each class", "plots.plot_backquery(network)"),
    (lr_find, "Which learning rate", 'plots.plot_lr_find(model.lr_find(X, y, optimizer="adam"))'),
]
HEAD = """# Pictures

Each function of `fastnn.plots` takes a fitted model, a history or a result, and an Axes of matplotlib if it is to draw
on that one, and returns the Axes. Nothing is shown by itself: a notebook shows the figure, `plt.show()` opens a window,
`plots.save(ax, "curves.png")` writes a file. `pip install "fastnn-cpu[plot]"` brings matplotlib and scikit-learn, whose
displays draw confusion matrices, decision boundaries and scores against a parameter; the others do without it.

The models may be fastnn's, Keras' drop-in's, Rashid's, scikit-learn's or its drop-in's, or a function of rows. The
command writes the same pictures: `fastnn train --plot`, `lr-find --plot`, `sweep --plot`, `knn --plot` and
`evaluate --plot`, the last two with `--picture` for which of them.

<!-- written by docs/make_plots.py -->
"""


def path_of(picture: Callable[[], Axes], style: str) -> Path:
    return FOLDER / f"{picture.__name__}-{style}.png"


def draw(picture: Callable[[], Axes]) -> None:
    for name, settings in STYLES.items():
        style = settings.get("style", "default")
        with plt.style.context([style, {key: value for key, value in settings.items() if key != "style"}]):
            ax = picture()
            plots.save(ax, path_of(picture, name), dots_per_inch=DOTS_PER_INCH)
            plt.close("all")


def page() -> str:
    parts = [HEAD]
    for picture, title, line in PICTURES:
        name = picture.__name__
        width = 2 * SHOWN if picture is history else SHOWN
        parts.append(
            f"## {title}\n\n```python\n{line}\n```\n\n<picture>\n"
            f'  <source media="(prefers-color-scheme: dark)" srcset="pictures/plots/{name}-dark.png">\n'
            f'  <img src="pictures/plots/{name}-light.png" width="{width}" alt="{title}">\n</picture>\n'
        )
    return "\n".join(parts)


def check() -> int:
    """What the exit code is to be: 1 where the page, or a picture of it or too many, is not as it would be written."""
    expected = {path_of(picture, style) for picture, _, _ in PICTURES for style in STYLES}
    wrong = sorted(str(path.relative_to(PAGE.parent)) for path in expected ^ set(FOLDER.glob("*.png")))
    if PAGE.read_text() != page():
        wrong.append(PAGE.name)
    for name in wrong:
        print(f"{name} is not what docs/make_plots.py would write", file=sys.stderr)
    return 1 if wrong else 0


def main(words: Sequence[str]) -> int:
    if "--check" in words:
        return check()
    FOLDER.mkdir(exist_ok=True)
    for picture, _, _ in PICTURES:
        if not words or picture.__name__ in words:
            draw(picture)
            print(picture.__name__, flush=True)
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
