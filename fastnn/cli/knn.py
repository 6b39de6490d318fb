"""``fastnn knn``: classify rows by their nearest neighbours, and show what they confuse."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checks, datasets, kernels, plots
from ..datasets.csv_file import read_csv_rows
from ..datasets.idx import read_idx_split
from ..datasets.mnist import labels_beside
from ..errors import FastnnError, InvalidArgumentError
from ..metrics import confusion_matrix
from ..neighbors import Neighbors, Scores
from .images import Split
from .output import check_outputs, print_json, print_worst_pairs, save_picture
from .terminal import BOLD, DIM, GREEN, YELLOW, fitted, paint, table, width

Rows = tuple[NDArray[np.uint8], NDArray[np.uint8] | None]  # labels may be missing


def run(arguments: argparse.Namespace) -> int:
    """Classify test rows by their neighbours; score every k and show what the best confuses, or print the classes."""
    several = sum(map(len, arguments.k)) > 1
    picture = arguments.picture or ("k" if several else "confusion")
    check_outputs(arguments, displays=picture != "mistakes")
    (X, y), (queries, truth) = _search_data(arguments)
    ks = checks.counts("--k", [k for part in arguments.k for k in part], len(X))
    if truth is None and len(ks) > 1:
        raise InvalidArgumentError("--k", "one number for queries without labels", f"{len(ks)} of them")
    if truth is None and arguments.plot is not None:
        raise InvalidArgumentError("--plot", "queries with labels", f"none beside {arguments.query}")
    if truth is not None and not arguments.json:
        data = f"{len(X):,} training rows, {len(queries):,} queries"
        print(fitted(f"{data}, {arguments.metric}, {arguments.weights} votes"))
        sys.stdout.flush()
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        start = time.perf_counter()
        index = Neighbors(arguments.metric).fit(X, y)
        built = time.perf_counter()
        predictions = index.classify(queries, ks, arguments.weights, progress=not arguments.json)
        seconds = built - start, time.perf_counter() - built
        if truth is None:
            _print_classes(predictions[0], as_json=arguments.json)
        else:
            right = [float(np.mean(predicted == truth)) for predicted in predictions]
            scores = Scores(tuple(ks), np.array(right)[:, np.newaxis])
            said = predictions[ks.index(scores.best_k)]
            _report_search(arguments, scores, said, truth, y, seconds)
            if arguments.plot is not None:
                _draw(arguments, picture, (X, y), scores, said, (queries, truth))
    return 0


def _search_data(arguments: argparse.Namespace) -> tuple[Split, Rows]:
    """The rows to search among, and the queries."""
    train: Rows
    test: Rows
    if arguments.train is None or arguments.query is None:
        train, test = datasets.load_images(arguments.data)
    if arguments.train is not None:
        train = _read_rows(arguments.train, 0)
    if arguments.query is not None:
        test = _read_rows(arguments.query, 1)
    (X, y), (queries, truth) = train, test
    if y is None:
        raise FastnnError(f"{arguments.train}: expected a file of labels beside it, found none")
    if queries.shape[1] != X.shape[1]:
        expected, found = "training rows and queries of one width", f"{X.shape[1]} and {queries.shape[1]} pixels"
        raise FastnnError(f"{arguments.query or arguments.train}: expected {expected}, found {found}")
    return (X, y), (queries, truth)


def _read_rows(path: str, split: int) -> Rows:
    """Rows and labels from a file; ``split`` is 0 for the training and 1 for the test half of a file that has both."""
    name = os.path.basename(path).lower().removesuffix(".gz")
    if name.endswith(".csv"):  # only queries may lack labels
        return datasets.read_csv(path) if split == 0 else read_csv_rows(path)
    if name.endswith((".pkl", ".pickle")):
        return datasets.load_mnist(path)[split]
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None = None
    if name.endswith(".npz"):
        images, labels = datasets.read_npz(path)[split]
    elif (beside := labels_beside(path)) is not None:
        images, labels = read_idx_split(path, beside)
    else:
        images = datasets.read_idx(path)
    return images.reshape(len(images), -1), labels


def _print_classes(classes: NDArray[Any], *, as_json: bool) -> None:
    for row, label in enumerate(classes.tolist()):
        if as_json:
            print_json(**{"row": row, "class": label})
        else:
            print(label)


def _report_search(
    arguments: argparse.Namespace,
    scores: Scores,
    said: NDArray[Any],
    truth: NDArray[np.uint8],
    known: NDArray[np.uint8],
    seconds: tuple[float, float],
) -> None:
    """The accuracy with each k, and what is taken for what with the best, with which ``said`` (n,) is.

    ``known`` are the labels (rows,) searched among.
    """
    accuracies = scores.accuracy[:, 0].tolist()
    classes = np.union1d(known, truth)
    confusion = confusion_matrix(truth, said, labels=classes)
    if arguments.json:
        print_json(
            k=list(scores.ks),
            accuracy=accuracies,
            best_k=scores.best_k,
            rows=len(known),
            queries=len(truth),
            fit_seconds=seconds[0],
            search_seconds=seconds[1],
            backend=kernels.get_backend().name,
            confusion=confusion.tolist(),
            classes=classes.tolist(),
        )
        return
    for k, accuracy in zip(scores.ks, accuracies, strict=True):
        count = round(accuracy * len(truth))
        line = fitted(f"k = {k}: accuracy {accuracy:.2%} ({count:,} of {len(truth):,} queries)")
        print(paint(line, BOLD) if k == scores.best_k else line)
    print(fitted(f"fit {seconds[0]:.2f} s, search {seconds[1]:.2f} s ({len(truth) / seconds[1]:,.0f} queries/s)"))
    print(fitted(f"Confusion with k = {scores.best_k}, a line for each true class:"))
    _print_confusion(confusion, classes.tolist())
    print_worst_pairs(confusion, classes.tolist())


def _print_confusion(confusion: NDArray[np.int64], classes: Sequence[int]) -> None:
    """A line for each true class that occurs, with the right answers, the mistakes and what there is none of in a
    colour each.
    """
    seen = np.flatnonzero(confusion.sum(axis=0) + confusion.sum(axis=1)).tolist()
    cells = [["", *(str(classes[j]) for j in seen)]]
    cells += [[str(classes[i]), *(f"{confusion[i, j]:,}" if confusion[i, j] else "." for j in seen)] for i in seen]
    widest = max(len(cell) for line in cells for cell in line)
    even = [[line[0].rjust(2), *(cell.rjust(widest) for cell in line[1:])] for line in cells]

    def style(row: int, column: int) -> str | None:
        if row == 0 or column == 0:
            return BOLD
        if cells[row][column] == ".":
            return DIM
        return GREEN if row == column else YELLOW

    for line in table(even, width(), style):
        print(line)


def _draw(
    arguments: argparse.Namespace,
    picture: str,
    train: Split,
    scores: Scores,
    said: NDArray[Any],
    test: Split,
) -> None:
    queries, truth = test
    (ax,) = plots.panels()
    if picture == "k":
        plots.plot_error_by_k(scores, ax=ax)
    elif picture == "boundary":
        index = Neighbors(arguments.metric).fit(train[0].astype(np.float32), train[1])  # the plane is not of bytes
        classify = partial(index.classify, k=scores.best_k, weights=arguments.weights)
        plots.plot_decision_boundary(classify, queries.astype(np.float32), truth, ax=ax)
    elif picture == "mistakes":
        plots.plot_mistakes(lambda _: said, queries, truth, ax=ax)
    else:
        plots.plot_confusion(lambda _: said, queries, truth, ax=ax)
    if picture != "mistakes":
        title = f"k = {scores.best_k}: {scores.accuracy.max():.2%} of {len(truth):,} queries"
        ax.figure.suptitle(title, fontsize="medium")
    save_picture(ax, arguments)
