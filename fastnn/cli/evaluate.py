"""``fastnn evaluate``: test a saved model, and show what it confuses."""

from __future__ import annotations

import argparse
import os

from .. import datasets, kernels, plots
from ..metrics import confusion_matrix
from ..nn.mlp import load
from .images import CLASSES, check_sizes, loss_and_accuracy
from .output import accuracy_line, check_outputs, print_json, print_worst_pairs


def run(arguments: argparse.Namespace) -> int:
    """Test a saved model and list its commonest mistakes."""
    model = load(arguments.model)
    check_sizes(arguments.model, model.sizes)
    check_outputs(arguments)
    _, (X, y) = datasets.load_mnist(arguments.data)
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        loss, accuracy = loss_and_accuracy(model, (X, y))
        confusion = confusion_matrix(y, model.forward(X).argmax(axis=1), labels=range(CLASSES))
    if arguments.plot is not None:
        title = f"{os.path.basename(arguments.model)}: {accuracy:.2%} of {len(X):,} test images"
        plots.plot_confusion(confusion, arguments.plot, title=title)
    if arguments.json:
        print_json(test_loss=loss, test_accuracy=accuracy, images=len(X), confusion=confusion.tolist())
        return 0
    print(accuracy_line(loss, accuracy, len(X)))
    print_worst_pairs(confusion)
    return 0
