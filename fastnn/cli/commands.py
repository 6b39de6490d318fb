"""What the command's subcommands do; each takes the parsed arguments and returns the exit code."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checks, datasets, kernels, plots
from ..datasets.csv_file import read_csv_rows
from ..datasets.idx import read_idx_split
from ..errors import FastnnError, FileFormatError, InvalidArgumentError
from ..io import digit_image, tensor_file
from ..io.atomic import check_destination
from ..io.text_image import text_rows
from ..metrics import confusion_matrix
from ..neighbors.index import Neighbors
from ..nn import fit as training
from ..nn.fit import History
from ..nn.mlp import MLP, load

Split = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Rows = tuple[NDArray[np.uint8], NDArray[np.uint8] | None]  # labels may be missing

PIXELS, CLASSES = 784, 10  # of MNIST, and of every set that load_mnist reads
WORST_PAIRS = 5


def train(arguments: argparse.Namespace) -> int:
    """Train a network, testing it after every epoch; save it and draw its curves if asked to."""
    sizes = [size for part in arguments.sizes for size in part]
    _check_sizes("--sizes", sizes)
    names = arguments.activation
    model = MLP(
        sizes,
        activation=names[0] if len(names) == 1 else names,
        output=arguments.output,
        loss=arguments.loss,
        init=arguments.init,
        dtype=arguments.dtype,
        seed=arguments.seed,
    )
    _check_outputs(arguments)
    train, test = datasets.load_mnist(arguments.data)
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        history = _fit(arguments, model, train, test)
        if arguments.save is not None:
            model.save(arguments.save)
        if arguments.plot is not None:
            held_out = "validation" if arguments.validation else "test"
            plots.plot_history(history, arguments.plot, held_out=held_out, title=_describe(model))
        _report_training(arguments, model, history, test)
    return 0


def _fit(arguments: argparse.Namespace, model: MLP, train: Split, test: Split) -> History:
    train, held_out = _hold_out(train, arguments.validation, arguments.seed)
    count = len(train[0])
    rule = training.optimizer_rule(
        arguments.optimizer, arguments.learning_rate, arguments.momentum, False, arguments.l2
    )
    if not arguments.json:
        shown = f"{len(held_out[0]):,} images held out" if held_out else f"{len(test[0]):,} test images"
        how = f"{arguments.optimizer}, learning rate {rule.learning_rate:g}, batches of {arguments.batch_size}"
        print(f"{_describe(model)}, {how}")
        print(f"{count:,} training images; val_loss and val_accuracy are of the {shown}", flush=True)

    def print_epoch(_model: MLP, history: History) -> None:
        _print_json(
            event="epoch",
            epoch=len(history),
            loss=history.loss[-1],
            accuracy=history.accuracy[-1],
            val_loss=history.val_loss[-1],
            val_accuracy=history.val_accuracy[-1],
            samples_per_second=count / max(history.seconds[-1], 1e-9),
            seconds=history.seconds[-1],
        )

    return model.fit(
        *train,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        optimizer=arguments.optimizer,
        momentum=arguments.momentum,
        l2=arguments.l2,
        validation_data=held_out or test,
        callbacks=[print_epoch] if arguments.json else (),
        verbose=0 if arguments.json else 1,
    )


def _hold_out(train: Split, fraction: float, seed: int) -> tuple[Split, Split | None]:
    """Split a random ``fraction`` off the training images; None where it is 0."""
    if checks.number("--validation", fraction, low=0, high=1, below=True) == 0:
        return train, None
    X, y = train
    order = np.random.default_rng(seed).permutation(len(X))
    count = round(fraction * len(X))
    if not 0 < count < len(X):
        raise InvalidArgumentError(
            "--validation", f"a share of the {len(X)} images that leaves some for each", fraction
        )
    first, rest = order[:count], np.sort(order[count:])
    return (X[rest], y[rest]), (X[first], y[first])


def _report_training(arguments: argparse.Namespace, model: MLP, history: History, test: Split) -> None:
    loss, accuracy = _test(model, test)
    if arguments.json:
        _print_json(
            event="result",
            test_loss=loss,
            test_accuracy=accuracy,
            seconds=sum(history.seconds),
            backend=kernels.backend_name(kernels.get_backend()),
            model=arguments.save,
        )
        return
    print(_accuracy_line(loss, accuracy, len(test[0])))
    if arguments.save is not None:
        print(f"Saved to {arguments.save}")


def evaluate(arguments: argparse.Namespace) -> int:
    """Test a saved model and list its commonest mistakes."""
    model = load(arguments.model)
    _check_sizes(arguments.model, model.sizes)
    _check_outputs(arguments)
    _, (X, y) = datasets.load_mnist(arguments.data)
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        loss, accuracy = _test(model, (X, y))
        confusion = confusion_matrix(y, model.forward(X).argmax(axis=1), labels=range(CLASSES))
    if arguments.plot is not None:
        title = f"{os.path.basename(arguments.model)}: {accuracy:.2%} of {len(X):,} test images"
        plots.plot_confusion(confusion, arguments.plot, title=title)
    if arguments.json:
        _print_json(test_loss=loss, test_accuracy=accuracy, images=len(X), confusion=confusion.tolist())
        return 0
    print(_accuracy_line(loss, accuracy, len(X)))
    _print_worst_pairs(confusion)
    return 0


def _print_worst_pairs(confusion: NDArray[np.int64]) -> None:
    for digit, taken_for, count in _worst_pairs(confusion):
        print(f"  {digit} taken for {taken_for}: {count:,} of {confusion[digit].sum():,}")


def _worst_pairs(confusion: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """The commonest mistakes, most frequent first: class, what it was taken for, how often."""
    pairs = [(i, j, int(n)) for i, row in enumerate(confusion) for j, n in enumerate(row) if i != j and n]
    return sorted(pairs, key=lambda pair: -pair[2])[:WORST_PAIRS]


def predict(arguments: argparse.Namespace) -> int:
    """Classify pictures; one that cannot be read is reported and the rest still answered."""
    try:
        model = load(arguments.model)
    except FileFormatError as error:
        if error.found not in tensor_file.PICTURES:
            raise
        raise FastnnError(f"{error}; the model comes first, then the pictures") from error
    if model.sizes[0] != PIXELS:
        raise FastnnError(f"{arguments.model}: expected a model with {PIXELS} inputs, found {model.sizes[0]}")
    code = 0
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        for path in arguments.images:
            try:
                digit = digit_image.load_digit(path)
            except FileFormatError as error:  # the other pictures are still answered
                code = 1
                print(f"fastnn: error: {error}", file=sys.stderr)
                continue
            probabilities = model.predict_proba(digit[None])[0].tolist()
            best = max(range(len(probabilities)), key=probabilities.__getitem__)
            if arguments.json:
                pixels = {"pixels": digit.tolist()} if arguments.show else {}
                _print_json(**{"image": path, "class": best, "probabilities": probabilities, **pixels})
            else:
                listed = "  ".join(f"{label}: {p:.4f}" for label, p in enumerate(probabilities))
                print(f"{path}: {best}  ({listed})", flush=True)
                if arguments.show:
                    print(f"{path}, 28 x 28 as the network sees it:")
                    print("\n".join(text_rows(digit.reshape(28, 28))), flush=True)
    return code


def knn(arguments: argparse.Namespace) -> int:
    """Classify test rows by their neighbours; score every k and show what the best confuses, or print the classes."""
    _check_outputs(arguments)
    (X, y), (queries, truth) = _search_data(arguments)
    ks = checks.counts("--k", [k for part in arguments.k for k in part], len(X))
    if truth is None and len(ks) > 1:
        raise InvalidArgumentError("--k", "one number for queries without labels", f"{len(ks)} of them")
    if truth is None and arguments.plot is not None:
        raise InvalidArgumentError("--plot", "queries with labels", f"none beside {arguments.query}")
    if truth is not None and not arguments.json:
        print(f"{len(X):,} training rows, {len(queries):,} queries, {arguments.metric}, {arguments.weights} votes")
        sys.stdout.flush()
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        start = time.perf_counter()
        index = Neighbors(arguments.metric).fit(X, y)
        fitted = time.perf_counter()
        with _search_progress(len(queries), quiet=arguments.json) as progress:
            predictions = index.classify(queries, ks, arguments.weights, progress=progress)
        seconds = fitted - start, time.perf_counter() - fitted
        if truth is None:
            _print_classes(predictions[0], as_json=arguments.json)
        else:
            _report_search(arguments, ks, predictions, truth, len(X), seconds)
    return 0


def _search_data(arguments: argparse.Namespace) -> tuple[Split, Rows]:
    """The rows to search among, and the queries."""
    train: Rows
    test: Rows
    if arguments.train is None or arguments.query is None:
        train, test = datasets.load_mnist(arguments.data)
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
    elif (beside := _labels_beside(path)) is not None:
        images, labels = read_idx_split(path, beside)
    else:
        images = datasets.read_idx(path)
    return images.reshape(len(images), -1), labels


def _labels_beside(path: str) -> str | None:
    """t10k-labels-idx1-ubyte for t10k-images-idx3-ubyte, each of them raw or .gz; None where there is no such file."""
    folder, name = os.path.split(path.removesuffix(".gz"))
    other = name.replace("images", "labels").replace("idx3", "idx1")
    candidates = [os.path.join(folder, other + ending) for ending in ("", ".gz")] if other != name else []
    return next((candidate for candidate in candidates if os.path.lexists(candidate)), None)


def _print_classes(classes: NDArray[Any], *, as_json: bool) -> None:
    for row, label in enumerate(classes.tolist()):
        if as_json:
            _print_json(**{"row": row, "class": label})
        else:
            print(label)


def _report_search(
    arguments: argparse.Namespace,
    ks: Sequence[int],
    predictions: Sequence[NDArray[Any]],
    truth: NDArray[np.uint8],
    rows: int,
    seconds: tuple[float, float],
) -> None:
    right = [int((predicted == truth).sum()) for predicted in predictions]
    accuracies = [count / len(truth) for count in right]
    best = max(range(len(ks)), key=lambda i: (right[i], -ks[i]))
    classes = max(CLASSES, 1 + int(truth.max()), 1 + int(predictions[best].max()))
    confusion = confusion_matrix(truth, predictions[best], labels=range(classes))
    seen = np.flatnonzero(confusion.sum(axis=0) + confusion.sum(axis=1)).tolist()
    if arguments.plot is not None:
        title = f"k = {ks[best]}: {accuracies[best]:.2%} of {len(truth):,} queries"
        names = [str(label) for label in seen]
        plots.plot_confusion(confusion[np.ix_(seen, seen)], arguments.plot, classes=names, title=title)
    if arguments.json:
        _print_json(
            k=list(ks),
            accuracy=accuracies,
            best_k=ks[best],
            rows=rows,
            queries=len(truth),
            fit_seconds=seconds[0],
            search_seconds=seconds[1],
            backend=kernels.backend_name(kernels.get_backend()),
            confusion=confusion.tolist(),
        )
        return
    for k, count, accuracy in zip(ks, right, accuracies, strict=True):
        print(f"k = {k}: accuracy {accuracy:.2%} ({count:,} of {len(truth):,} queries)")
    print(f"fit {seconds[0]:.2f} s, search {seconds[1]:.2f} s ({len(truth) / seconds[1]:,.0f} queries/s)")
    print(f"Confusion with k = {ks[best]}, a line for each true class:")
    cells = [["", *map(str, seen)]]
    cells += [[str(i), *(f"{confusion[i, j]:,}" if confusion[i, j] else "." for j in seen)] for i in seen]
    width = max(len(cell) for line in cells for cell in line)
    for first, *others in cells:
        print("  " + first.rjust(max(2, len(cells[-1][0]))) + "".join(cell.rjust(width + 2) for cell in others))
    _print_worst_pairs(confusion)


@contextmanager
def _search_progress(total: int, *, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """What shows on stderr, where that is a terminal, how many queries are answered; it is wiped out in the end."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    start = time.perf_counter()

    def show(done: int) -> None:
        left = f", {(time.perf_counter() - start) / done * (total - done):.0f} s left" if done else ""
        print(f"\r\033[K{done:,} of {total:,} queries{left} ", end="", file=sys.stderr, flush=True)

    show(0)
    try:
        yield show
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def backends(arguments: argparse.Namespace) -> int:
    """List the backends and, for one that is missing, why."""
    found = kernels.backends()
    if arguments.json:
        _print_json(**{name: status._asdict() for name, status in found.items()})
        return 0
    for name, (available, detail) in found.items():
        print(f"{name:8}{'available' if available else 'missing':11}{detail}")
    return 0


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Raise now, not when the work is done, if the file that a flag asks for cannot be written."""
    for flag, check in (("save", check_destination), ("plot", plots.check_plot)):
        path = getattr(arguments, flag, None)
        if path is None:
            continue
        try:
            check(path)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"--{flag}", error.expected, error.found) from error
        except FastnnError as error:
            raise FastnnError(f"--{flag}: {error}") from error


def _check_sizes(where: str, sizes: Sequence[int]) -> None:
    """The images have 784 pixels and 10 classes; a model file of other sizes is not at fault, but cannot be used."""
    if len(sizes) < 2 or sizes[0] != PIXELS or sizes[-1] != CLASSES:
        expected, found = f"{PIXELS} inputs and {CLASSES} outputs for these images", "-".join(map(str, sizes)) or "none"
        if where.startswith("--"):
            raise InvalidArgumentError(where, expected, found)
        raise FastnnError(f"{where}: expected {expected}, found {found}")


def _describe(model: MLP) -> str:
    return f"{'-'.join(map(str, model.sizes))} {'-'.join(model.activations)}, {model.loss}"


def _test(model: MLP, test: Split) -> tuple[float, float]:
    """Loss and accuracy; a regressor on one-hot targets has an accuracy too."""
    return training.evaluate(model.net, model.params, model.check_data(*test))


def _accuracy_line(loss: float, accuracy: float, count: int) -> str:
    return f"Test accuracy {accuracy:.2%} ({round(accuracy * count):,} of {count:,} images), loss {loss:.4f}"


def _print_json(**values: Any) -> None:
    """One object on one line; JSON has no NaN, so an undefined figure is null."""
    clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
    print(json.dumps(clean, allow_nan=False), flush=True)
