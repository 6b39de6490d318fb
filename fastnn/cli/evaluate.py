"""``fastnn evaluate``: test a saved model, and show what it confuses."""

from __future__ import annotations

import argparse
import os

from .. import datasets, kernels, plots
from ..kernels.spec import IntArray
from ..metrics import confusion_matrix
from ..nn.mlp import MLP, load
from .images import Split, check_model, classes_of, loss_and_accuracy, predicted
from .output import accuracy_line, check_outputs, print_json, print_worst_pairs, save_picture


def run(arguments: argparse.Namespace) -> int:
    """Test a saved model and list its commonest mistakes."""
    model = load(arguments.model)
    picture = arguments.picture or "confusion"
    check_outputs(arguments, displays=picture == "confusion")
    _, (X, y) = datasets.load_images(arguments.data)
    check_model(arguments.model, model, (X, y))
    classes = classes_of(model)
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        loss, accuracy = loss_and_accuracy(model, (X, y))
        confusion = confusion_matrix(y, predicted(model, X), labels=classes)
    if arguments.json:
        figures = {"confusion": confusion.tolist(), "classes": classes.tolist()}
        print_json(test_loss=loss, test_accuracy=accuracy, images=len(X), **figures)
    else:
        print(accuracy_line(loss, accuracy, len(X)))
        print_worst_pairs(confusion, classes.tolist())
    if arguments.plot is not None:
        title = f"{os.path.basename(arguments.model)}: {accuracy:.2%} of {len(X):,} test images"
        _draw(arguments, picture, model, (X, y), confusion, title)
    return 0


def _draw(
    arguments: argparse.Namespace, picture: str, model: MLP, test: Split, confusion: IntArray, title: str
) -> None:
    (ax,) = plots.panels()
    if picture == "mistakes":
        plots.plot_mistakes(model, *test, ax=ax)
    elif picture == "weights":
        plots.plot_weights(model, ax=ax)
    elif picture == "backquery":
        plots.plot_backquery(model, ax=ax)
    else:
        plots.plot_confusion(confusion, classes=classes_of(model).tolist(), ax=ax)
        ax.set_title(title, fontsize="medium")
    save_picture(ax, arguments)
