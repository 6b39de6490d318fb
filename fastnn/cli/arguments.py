"""The ``fastnn`` command: train, lr-find, evaluate, predict, knn, draw, backends, accel.

Results go to stdout, all else to stderr. It exits with 0 when all went well, 1 when something failed (a closed stdout
included), 2 for wrong usage, 130 when interrupted and 141 when the reader of its output has gone. This module parses
arguments and reports failures; what a command does is ``run`` in the module of its name.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib
import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, TextIO

from .. import __version__
from ..errors import FastnnError, InvalidArgumentError, InvalidTypeError
from ..kernels import NAMES as BACKENDS
from ..kernels.records import ACTIVATIONS, HIDDEN_ACTIVATIONS, LOSSES, METRICS, OPTIMIZER_RECORDS, OPTIMIZERS

FAILURE, USAGE, INTERRUPTED, READER_GONE = 1, 2, 130, 141  # 128 + the signal's number, as shells count

# Names of modules that import NumPy, spelled out here so that --help and --version need not (a test compares them).
INITIALIZERS = ("normal", "normal_scaled", "rashid", "he", "glorot", "truncated_normal")
VOTE_WEIGHTS = ("uniform", "distance")
EVALUATION_PICTURES = ("confusion", "mistakes", "weights", "backquery")
SEARCH_PICTURES = ("k", "confusion", "mistakes", "boundary")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with ``argv`` (default: the process's arguments) and return its exit code."""
    _fill_descriptors()
    code = _report_failures(argv)
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)
    return code


def _report_failures(argv: Sequence[str] | None) -> int:
    if sys.stdout is None:
        return _complain("error: stdout is closed; /dev/null takes results that are not wanted", FAILURE)
    try:
        code = _run(argv)
        sys.stdout.flush()  # here, where a failure can still be reported
        return code
    except BrokenPipeError:
        _discard(sys.stdout)
        return READER_GONE
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except (InvalidArgumentError, InvalidTypeError) as error:  # of a flag's value, found by the library
        return _complain(f"error: {error}", USAGE)
    except FastnnError as error:
        return _complain(f"error: {error}", FAILURE)
    except OSError as error:
        _discard(sys.stdout)
        return _complain(f"error: {error}", FAILURE)
    except MemoryError:
        return _complain("error: not enough memory", FAILURE)


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = _parse(sys.argv[1:] if argv is None else argv)
    except SystemExit as done:  # after --help, --version or wrong usage
        return int(done.code or 0)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold anything
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        name = arguments.command.replace("-", "_")
        module = importlib.import_module(f".{name}", __package__)  # only now, as it imports NumPy
        try:
            code: int = module.run(arguments)
            return code
        except InvalidArgumentError as error:
            raise _of_flag(error, arguments) from error


def _of_flag(error: InvalidArgumentError, arguments: argparse.Namespace) -> InvalidArgumentError:
    """The same error with the name of the command's flag where the library has that of its argument."""
    argument, bracket, index = error.argument.partition("[")
    flag = "threads" if argument == "num_threads" else argument
    if flag not in vars(arguments):
        return error
    return InvalidArgumentError(f"--{flag.replace('_', '-')}{bracket}{index}", error.expected, error.found)


def _show_warning(message: Warning | str, *_args: object, **_kwargs: object) -> None:
    print(f"fastnn: warning: {message}", file=sys.stderr)


def _complain(text: str, code: int) -> int:
    with contextlib.suppress(OSError):  # there is nowhere else to say it
        print(f"fastnn: {text}", file=sys.stderr)
    return code


def _fill_descriptors() -> None:
    """Put the null device where stdin, stdout or stderr is closed: files that are opened would take its number."""
    with contextlib.suppress(OSError):  # where there is no null device
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # for print, which takes None for stdout


def _discard(stream: TextIO) -> None:
    """Let what is still buffered for stdout or stderr go nowhere: Python would fail once more to write it at exit."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (AttributeError, OSError, ValueError):
        pass  # it is no file


# Arguments


class _Parser(argparse.ArgumentParser):
    """Suggests the nearest name for a misspelt one; fails where its help cannot be written."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout:
            sys.stdout.write(message)  # argparse ignores a full disk
        else:
            super()._print_message(message, file)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            raise argparse.ArgumentError(action, error.message + _nearest(value, action.choices or ())) from None

    def has(self, flag: str) -> bool:
        return flag in self._option_string_actions

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Fail for words that are no arguments of this command."""
        misspelt = [word.partition("=")[0] for word in words if word.startswith("--")]
        hints = (_nearest(flag, self._option_string_actions) for flag in misspelt)
        self.error(f"unrecognized arguments: {' '.join(words)}{''.join(hints)}")


def _nearest(name: str, names: Iterable[str]) -> str:
    """What to end a message with: which of the names was probably meant, if any is near."""
    found = difflib.get_close_matches(name.lower(), list(names), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser, commands = _parser()
    if words[:1] == ["accel"]:  # what follows is for it, for Python and for the program
        return argparse.Namespace(command="accel", words=words[1:])
    first = words[0].partition("=")[0] if words else ""
    if not first or (first.startswith("-") and not parser.has(first)):
        owners = [name for name, command in commands.items() if command.has(first)]
        hint = f"; {first} is a flag of {', '.join(owners)}" if owners else ""
        parser.error(f"expected a command ({', '.join(commands)}), found {first or 'none'}{hint}")
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        commands[arguments.command].refuse(unknown)
    return arguments


def _parser() -> tuple[_Parser, Mapping[str, _Parser]]:
    """The parser of all arguments, and those of the commands by name."""
    parser = _Parser(
        prog="fastnn",
        description="Train and use small neural networks, and search nearest neighbours, on a CPU, fast.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, summary: str) -> _Parser:
        sub = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        sub.set_defaults(command=name)
        sub.add_argument("--json", action="store_true", help="print JSON, one object a line")
        return sub

    train = command("train", "Train a network on MNIST, or on a set of the same form, and test it.")
    _add_data(train)
    _add_network(train)
    _add_training(train)
    _add_backend(train)
    lr_find = command("lr-find", "Suggest a learning rate: train a network for a moment at ever greater ones.")
    _add_data(lr_find)
    _add_network(lr_find)
    lr_find.add_argument("--plot", metavar="FILE", help="draw the loss at each rate into FILE.png (or .svg, .pdf)")
    _add_backend(lr_find)
    evaluate = command("evaluate", "Test a saved model, and show what it confuses.")
    evaluate.add_argument("model", metavar="MODEL", help="a file that fastnn train --save wrote")
    _add_data(evaluate)
    _add_plot(evaluate, EVALUATION_PICTURES, default="confusion", usual="confusion")
    _add_backend(evaluate)
    predict = command("predict", "Tell which digit each picture (PNG, JPEG, BMP, GIF, WebP, TIFF) shows.")
    predict.add_argument("model", metavar="MODEL", help="a file that fastnn train --save wrote")
    predict.add_argument("images", metavar="IMAGE", nargs="+", help="pictures of one digit each, of any size")
    predict.add_argument("--show", action="store_true", help="show the 28 x 28 image that the network sees, too")
    _add_backend(predict)
    knn = command("knn", "Classify by the k nearest neighbours, exactly, and show what they confuse.")
    _add_search(knn)
    _add_backend(knn)
    draw = command("draw", "Serve a page on which you draw a digit and watch a network train.")
    _add_page(draw)
    _add_backend(draw)
    command("backends", "List the backends, and why one cannot run here.")
    commands.add_parser("accel", help="Run a Python program that uses scikit-learn on fastnn's kernels.")
    return parser, commands.choices


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="folder of MNIST's IDX or CSV files, mnist.npz or mnist.pkl.gz (default: the embedded MNIST)",
    )


def _add_plot(parser: argparse.ArgumentParser, pictures: Sequence[str], default: str | None, usual: str) -> None:
    parser.add_argument("--plot", metavar="FILE", help="draw a picture into FILE.png (or .svg, .pdf)")
    parser.add_argument(
        "--picture",
        choices=pictures,
        default=default,
        help=f"which: {', '.join(pictures)} (default: {usual})",
        metavar="NAME",
    )


def _add_backend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="default: auto, the fastest that runs")
    parser.add_argument("--threads", type=int, metavar="N", help="of the native backend (default: all processors)")


def _add_network(parser: argparse.ArgumentParser) -> None:
    """The network, and what of its training a search for the rate must know."""
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
    add("--output", choices=ACTIVATIONS, help="output activation (default: the loss's own, softmax)")
    add("--loss", choices=LOSSES, help="default: the output's own, cross_entropy")
    add("--init", choices=INITIALIZERS, default="glorot", help="initial weights (default: glorot)")
    add("--optimizer", choices=OPTIMIZERS, default="sgd", help="default: sgd")
    add("--momentum", type=float, metavar="FACTOR", help="0 to 1 (default: 0.9 where the optimizer has it)")
    add("--l2", type=float, default=0.0, metavar="FACTOR", help="L2 penalty on the weights (default: 0)")
    add("--batch-size", type=int, default=10, metavar="N", help="default: 10")
    add("--seed", type=int, default=1, metavar="N", help="of weights and shuffling (default: 1)")
    add("--dtype", choices=("float32", "float64"), default="float32", help="default: float32")


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    rates = ", ".join(f"{record.learning_rate:g} for {name}" for name, record in OPTIMIZER_RECORDS.items())
    add("--learning-rate", type=float, metavar="RATE", help=f"default: {rates}")
    add("--epochs", type=int, default=10, metavar="N", help="default: 10")
    add(
        "--validation",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="share of the training images to hold out and show the figures of (default: 0, those of the test images)",
    )
    add("--explain", action="store_true", help="say what the training would run, and why, and do not train")
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
        help="training rows instead: CSV with a header or the label first, .npz of x_train and y_train, .pkl, or IDX "
        "images with their labels beside them",
    )
    add(
        "--query",
        metavar="FILE",
        help="test rows instead, likewise (.npz: x_test, y_test); for a CSV file or IDX images without labels "
        "the classes are printed, one a line",
    )
    _add_plot(parser, SEARCH_PICTURES, default=None, usual="k for several, else confusion")


def _add_page(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("model", metavar="MODEL", nargs="?", help="a file that fastnn train --save wrote (default: one is trained)")
    add(
        "--data",
        metavar="PATH",
        help="other images, square and of any classes: a CSV file, an IDX file with its labels beside it, or a folder "
        "as fastnn train takes it (default: the embedded MNIST)",
    )
    add("--port", type=int, default=8484, metavar="N", help="of 127.0.0.1; 0 takes a free one (default: 8484)")
    add("--no-open", action="store_true", help="open no browser")
    add("--export", metavar="FILE", help="write the page with the network inside to FILE.html, and serve nothing")


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
            hint = _nearest(name, HIDDEN_ACTIVATIONS)
            raise argparse.ArgumentTypeError(f"expected one of {expected}, found {name!r}{hint}")
    return _words(text)
