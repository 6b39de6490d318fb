"""The ``fastnn`` command: train, evaluate, predict, knn, backends.

Results go to stdout, all else to stderr. It exits with 0 when all went well, 1 when something failed, 2 for wrong
usage, 130 when interrupted and 141 when the reader of its output has gone. This module parses arguments and reports
failures; what is slow to import, and the work, is in :mod:`fastnn.commands`.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence

from . import __version__
from .errors import FastnnError, InvalidArgumentError, InvalidTypeError

FAILURE, USAGE, INTERRUPTED, READER_GONE = 1, 2, 130, 141  # 128 + the signal's number, as shells count

# The library's names, spelled out here so that --help and --version need not import NumPy (a test compares them).
HIDDEN_ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu")
OUTPUT_ACTIVATIONS = (*HIDDEN_ACTIVATIONS, "softmax")
LOSSES = ("quadratic", "mean_squared_error", "binary_cross_entropy", "cross_entropy")
INITIALIZERS = ("normal", "normal_scaled", "rashid", "he", "glorot", "truncated_normal")
BACKENDS = ("auto", "native", "numba", "numpy")
METRICS = ("euclidean", "manhattan", "cosine")
VOTE_WEIGHTS = ("uniform", "distance")
LEARNING_RATES = {"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "adam": 0.001}  # the defaults, by optimizer


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with ``argv`` (default: the process's arguments) and return its exit code."""
    try:
        code = _run(argv)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a failure can still be reported
        return code
    except BrokenPipeError:
        _discard_output()
        return READER_GONE
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except (InvalidArgumentError, InvalidTypeError) as error:  # of a flag's value, found by the library
        return _complain(f"error: {error}", USAGE)
    except FastnnError as error:
        return _complain(f"error: {error}", FAILURE)
    except OSError as error:
        _discard_output()
        return _complain(f"error: {error}", FAILURE)
    except MemoryError:
        return _complain("error: not enough memory", FAILURE)


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as done:  # after --help, --version or wrong usage
        return int(done.code or 0)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold anything
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        from . import commands

        run: Callable[[argparse.Namespace], int] = getattr(commands, arguments.command)
        return run(arguments)


def _show_warning(message: Warning | str, *_args: object, **_kwargs: object) -> None:
    print(f"fastnn: warning: {message}", file=sys.stderr)


def _complain(text: str, code: int) -> int:
    print(f"fastnn: {text}", file=sys.stderr)
    return code


def _discard_output() -> None:
    """Let what is still buffered for stdout go nowhere: Python would fail once more to write it at exit."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (AttributeError, OSError, ValueError):
        pass  # stdout is no file


# Arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastnn",
        description="Train and use small neural networks, and search nearest neighbours, on a CPU, fast.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        sub.set_defaults(command=name)
        sub.add_argument("--json", action="store_true", help="print JSON, one object a line")
        return sub

    train = command("train", "Train a network on MNIST, or on a set of the same form, and test it.")
    _add_data(train)
    _add_training(train)
    _add_backend(train)
    evaluate = command("evaluate", "Test a saved model, and show what it confuses.")
    evaluate.add_argument("model", metavar="MODEL", help="a file that fastnn train --save wrote")
    _add_data(evaluate)
    evaluate.add_argument("--plot", metavar="FILE", help="draw the confusion matrix into FILE.png (or .svg, .pdf)")
    _add_backend(evaluate)
    predict = command("predict", "Tell which digit each picture shows, dark on light or light on dark.")
    predict.add_argument("model", metavar="MODEL", help="a file that fastnn train --save wrote")
    predict.add_argument("images", metavar="IMAGE", nargs="+", help="PNG or JPEG files, one digit each, of any size")
    _add_backend(predict)
    knn = command("knn", "Classify by the k nearest neighbours, exactly, and show what they confuse.")
    _add_search(knn)
    _add_backend(knn)
    command("backends", "List the backends, and why one cannot run here.")
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="folder of MNIST's IDX or CSV files, mnist.npz or mnist.pkl.gz (default: the embedded MNIST)",
    )


def _add_backend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="default: auto, the fastest that runs")
    parser.add_argument("--threads", type=int, metavar="N", help="of the native backend (default: all processors)")


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--sizes",
        type=_layer_sizes,
        nargs="+",
        default=[[784, 30, 10]],
        metavar="N,N",
        help="layer sizes (default: 784,30,10)",
    )
    add(
        "--activation",
        type=_hidden_activations,
        default=["sigmoid"],
        metavar="NAME",
        help=f"of the hidden layers, one for all or one each: {', '.join(HIDDEN_ACTIVATIONS)} (default: sigmoid)",
    )
    add("--output", choices=OUTPUT_ACTIVATIONS, help="output activation (default: the loss's own, softmax)")
    add("--loss", choices=LOSSES, help="default: the output's own, cross_entropy")
    add("--init", choices=INITIALIZERS, default="glorot", help="initial weights (default: glorot)")
    add("--optimizer", choices=tuple(LEARNING_RATES), default="sgd", help="default: sgd")
    rates = ", ".join(f"{rate:g} for {name}" for name, rate in LEARNING_RATES.items())
    add("--learning-rate", type=float, metavar="RATE", help=f"default: {rates}")
    add("--momentum", type=float, metavar="FACTOR", help="0 to 1 (default: 0.9 where the optimizer has it)")
    add("--l2", type=float, default=0.0, metavar="FACTOR", help="L2 penalty on the weights (default: 0)")
    add("--epochs", type=int, default=10, metavar="N", help="default: 10")
    add("--batch-size", type=int, default=10, metavar="N", help="default: 10")
    add("--seed", type=int, default=1, metavar="N", help="of weights and shuffling (default: 1)")
    add("--dtype", choices=("float32", "float64"), default="float32", help="default: float32")
    add(
        "--validation",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="share of the training images to hold out and show the figures of (default: 0, those of the test images)",
    )
    add("--save", metavar="MODEL", help="write the trained model to this file")
    add("--plot", metavar="FILE", help="draw the training curves into FILE.png (or .svg, .pdf)")


def _add_search(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--k",
        type=_neighbor_counts,
        nargs="+",
        default=[[5]],
        metavar="N,N",
        help="how many neighbours vote; of several, one search serves all (default: 5)",
    )
    add("--metric", choices=METRICS, default="euclidean", help="default: euclidean")
    add("--weights", choices=VOTE_WEIGHTS, default="uniform", help="of the votes (default: uniform)")
    _add_data(parser)
    add(
        "--train",
        metavar="FILE",
        help="training rows instead: CSV with the label first, .npz of x_train and y_train, .pkl, or IDX images with "
        "their labels beside them",
    )
    add(
        "--query",
        metavar="FILE",
        help="test rows instead, likewise (.npz: x_test, y_test); for IDX images without labels the classes are "
        "printed, one a line",
    )
    add("--plot", metavar="FILE", help="draw the confusion matrix into FILE.png (or .svg, .pdf)")


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _integers(text: str, expected: str) -> list[int]:
    try:
        return [int(word) for word in _words(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}") from None


def _layer_sizes(text: str) -> list[int]:
    return _integers(text, "layer sizes such as 784,30,10")


def _neighbor_counts(text: str) -> list[int]:
    return _integers(text, "numbers of neighbours such as 1,3,5")


def _hidden_activations(text: str) -> list[str]:
    for name in _words(text):
        if name not in HIDDEN_ACTIVATIONS:
            expected = ", ".join(HIDDEN_ACTIVATIONS)
            raise argparse.ArgumentTypeError(f"expected one of {expected}, found {name!r}")
    return _words(text)
