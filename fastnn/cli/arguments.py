"""The arguments of each command, in the groups of its help, with two examples each.

``completion`` and the tests read the same parsers; what a metavar of FILES takes is the name of a file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from .. import __version__
from ..kernels import NAMES as BACKENDS
from ..kernels.records import ACTIVATIONS, HIDDEN_ACTIVATIONS, LOSSES, METRICS, OPTIMIZER_RECORDS, OPTIMIZERS
from .parser import Add, IntegerList, NameList, Parser, listing, owners, wrapped

DESCRIPTION = "Train and use small neural networks, and search nearest neighbours, on a CPU, fast."
FILES = ("FILE", "PATH", "MODEL", "IMAGE", "PROGRAM")
# The exit code of wrong usage.
USAGE = 2
SHELLS = ("bash", "zsh", "fish")

# Names of modules that import NumPy, spelled out here so that --help and --version need not (a test compares them).
INITIALIZERS = ("normal", "normal_scaled", "rashid", "he", "glorot", "truncated_normal")
VOTE_WEIGHTS = ("uniform", "distance")
EVALUATION_PICTURES = ("confusion", "mistakes", "weights", "backquery")
SEARCH_PICTURES = ("k", "confusion", "mistakes", "boundary")
SWEPT = ("hidden", "activation", "optimizer", "init", "learning-rate", "momentum", "l2", "epochs", "batch-size")
SWEPT_FLAGS = {name: "sizes" if name == "hidden" else name.replace("-", "_") for name in SWEPT}
WORDS = "arguments"  # the title of those that are no flags
# The share of the training images that are held out to stop early by: a tenth tells accuracies apart and costs little.
STOPPING_SHARE = 0.1

# The commands in the groups of the help, and what each does.
COMMANDS = {
    "networks": {
        "train": "Train a network on MNIST, or on images of your own, and test it.",
        "lr-find": "Suggest a learning rate: train a network for a moment at ever greater ones.",
        "sweep": "Train networks with each of several values of one argument, and compare them on the test images.",
        "evaluate": "Test a saved model, and show what it confuses.",
        "predict": "Tell which digit each picture (PNG, JPEG, BMP, GIF, WebP, TIFF) shows.",
        "draw": "Serve a page on which you draw a digit and watch a network train.",
    },
    "neighbours": {
        "knn": "Classify by the k nearest neighbours, exactly, and show what they confuse.",
    },
    "programs and tools": {
        "accel": "Run a Python program that uses scikit-learn on fastnn's kernels.",
        "backends": "List the backends, and why one cannot run here.",
        "completion": "Print what lets a shell complete the words of this command.",
    },
}
SUMMARIES = {name: text for commands in COMMANDS.values() for name, text in commands.items()}


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command, whose name is ``command``; SystemExit after --help and for wrong usage."""
    parser, commands = parsers()
    if words[:1] == ["accel"]:  # what follows is for it, for Python and for the program
        return argparse.Namespace(command="accel", words=words[1:])
    if not words:
        parser.print_help(sys.stderr)
        parser.exit(USAGE)
    first = words[0].partition("=")[0]
    if not first or (first.startswith("-") and not parser.has(first)):
        parser.error(f"expected a command ({', '.join(commands)}), found {first or 'none'}{owners(first, commands)}")
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        commands[arguments.command].refuse(unknown, commands)
    return arguments


def parsers() -> tuple[Parser, Mapping[str, Parser]]:
    """The parser of all arguments, and those of the commands by name."""
    parser = Parser(
        prog="fastnn",
        usage="fastnn COMMAND [flags]",
        description=f"{wrapped(DESCRIPTION)}\n\n{_listing()}",
        examples=("train --save digits.safetensors", "predict digits.safetensors digit.png"),
    )
    commands = parser.add_subparsers(prog="fastnn", metavar="COMMAND", help=argparse.SUPPRESS, required=True)

    def command(name: str, *examples: str) -> Parser:
        """The parser of a command, to which its arguments are added."""
        sub: Parser = commands.add_parser(
            name, description=wrapped(SUMMARIES[name]), examples=[f"{name} {example}".rstrip() for example in examples]
        )
        sub.set_defaults(command=name)
        return sub

    train = command(
        "train",
        "--sizes 784,100,10 --epochs 5 --save digits.safetensors",
        "--optimizer adam --epochs 100 --early-stopping 5 --plot curves.png",
    )
    _add_data(train)
    _add_validation(train)
    _add_network(train)
    _add_seed(train)
    _add_epochs(train)
    _add_training(train)
    _add_general(train, has_backend=True)

    lr_find = command("lr-find", "--sizes 784,100,10", "--optimizer adam --batch-size 32 --plot rates.png")
    _add_data(lr_find)
    _add_network(lr_find)
    _add_seed(lr_find)
    _add_plot(lr_find, "draw the loss at each rate")
    _add_general(lr_find, has_backend=True)

    sweep = command("sweep", "hidden 10,30,100 --epochs 3", "learning-rate 0.1,0.3,1 --seeds 5 --plot sweep.png")
    add = sweep.group(WORDS)
    add("name", choices=SWEPT, metavar="NAME", help=f"the argument: {', '.join(SWEPT)}")
    add("values", nargs="+", metavar="VALUES", help="its values, such as 0.1,0.3,1")
    _add_data(sweep)
    _add_network(sweep)
    sweep.group("network")("--seeds", type=int, default=3, metavar="N", help="networks for each value (default: 3)")
    _add_epochs(sweep)
    _add_plot(sweep, "draw accuracy and time")
    _add_general(sweep, has_backend=True)
    # A swept argument may have no flag beside it, and so these are None where they are not given.
    usual = {action.dest: action.default for action in sweep.flags if action.dest in SWEPT_FLAGS.values()}
    sweep.set_defaults(**dict.fromkeys(usual), usual=usual)

    evaluate = command("evaluate", "digits.safetensors", "digits.safetensors --picture mistakes --plot mistakes.png")
    _add_model(evaluate)
    _add_data(evaluate)
    _add_plot(evaluate, "draw a picture", EVALUATION_PICTURES, usual="confusion")
    _add_general(evaluate, has_backend=True)

    predict = command("predict", "digits.safetensors digit.png", "digits.safetensors digit.png --show")
    _add_model(predict)
    predict.group(WORDS)("images", metavar="IMAGE", nargs="+", help="pictures of one digit each, of any size")
    predict.group("results")("--show", action="store_true", help="show the 28 x 28 image that the network sees, too")
    _add_general(predict, has_backend=True)

    draw = command("draw", "", "digits.safetensors --export digits.html")
    _add_page(draw)
    _add_general(draw, has_backend=True, threads="one that trains")

    knn = command("knn", "--k 1,3,5,7,9", "--metric cosine --weights distance --picture mistakes --plot mistakes.png")
    _add_search(knn)
    _add_general(knn, has_backend=True)

    _add_accel(commands.add_parser("accel"))

    backends = command("backends", "", "--json")
    _add_general(backends)

    completion = command(
        "completion", "bash >~/.local/share/bash-completion/completions/fastnn", "zsh >~/.zfunc/_fastnn"
    )
    completion.group(WORDS)("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
    _add_help(completion)

    parser.group("flags")("--version", action="version", version=f"fastnn {__version__}", help="print the version")
    _add_help(parser, "print this; fastnn COMMAND --help lists a command's flags")
    return parser, commands.choices


def _listing() -> str:
    longest = max(map(len, SUMMARIES))
    return "\n\n".join(f"{title}:\n{listing(commands.items(), longest)}" for title, commands in COMMANDS.items())


def _add_help(parser: Parser, text: str = "print this") -> None:
    parser.group("flags")("-h", "--help", action="help", help=text)


def _add_general(parser: Parser, *, has_backend: bool = False, threads: str = "all processors") -> None:
    """What most commands have, at the end of their help."""
    add = parser.group("flags")
    if has_backend:
        _add_choice(add, "--backend", "which kernels", BACKENDS, "auto, the fastest that runs", default="auto")
        add("--threads", type=int, metavar="N", help=f"of the native backend (default: {threads})")
    add("--json", action="store_true", help="print JSON, one object a line")
    _add_help(parser)


def _add_accel(parser: Parser) -> None:
    """For completion and for hints: accel, whose flags end where the program begins, reads them itself."""
    parser.group(WORDS)("words", metavar="PROGRAM", nargs="...")
    add = parser.group("flags")
    add("-v", "--verbose", action="store_true", help="say for each call whether it was accelerated")
    add("--profile", action="store_true", help="at the end, a table of the calls")
    add("--report", metavar="FILE", help="the same as JSON")
    add("--check", action="store_true", help="compare with scikit-learn's own code")
    _add_help(parser)


def _add_choice(
    add: Add, flag: str, text: str, names: Sequence[str], usual: str, *, default: str | None = None
) -> None:
    add(flag, choices=names, default=default, metavar="NAME", help=f"{text}: {', '.join(names)} (default: {usual})")


def _add_model(parser: Parser) -> None:
    parser.group(WORDS)("model", metavar="MODEL", help="a file that fastnn train --save wrote")


def _add_data(parser: Parser) -> None:
    parser.group("data")(
        "--data",
        metavar="PATH",
        help="images, square and of any classes: a CSV file, an IDX file with its labels beside it, mnist.npz, "
        "mnist.pkl.gz, or a folder of MNIST's IDX or CSV files (default: the embedded MNIST)",
    )


def _add_validation(parser: Parser) -> None:
    parser.group("data")(
        "--validation",
        type=float,
        metavar="FRACTION",
        help="share of the training images to hold out and show the figures of (default: 0, those of the test images; "
        f"with --early-stopping {STOPPING_SHARE})",
    )


def _add_plot(parser: Parser, text: str, pictures: Sequence[str] = (), usual: str = "") -> None:
    add = parser.group("results")
    add("--plot", metavar="FILE", help=f"{text} into FILE.png (or .svg, .pdf)")
    if pictures:
        _add_choice(add, "--picture", "which picture", pictures, usual)


def _add_network(parser: Parser) -> None:
    """The network, and what of its training a search for the rate must know."""
    add = parser.group("network")
    add(
        "--sizes",
        type=IntegerList("layer sizes such as 784,30,10"),
        nargs="+",
        metavar="N,N",
        help="layer sizes (default: the images' pixels, 30 and their classes, of MNIST 784,30,10)",
    )
    add(
        "--activation",
        type=NameList(HIDDEN_ACTIVATIONS),
        default=["sigmoid"],
        metavar="NAME",
        help=f"of the hidden layers, one for all or one each: {', '.join(HIDDEN_ACTIVATIONS)} (default: sigmoid)",
    )
    _add_choice(add, "--output", "activation of the last layer", ACTIVATIONS, "the loss's own, softmax")
    _add_choice(add, "--loss", "what is minimised", LOSSES, "the output's own, cross_entropy")
    _add_choice(add, "--init", "initial weights", INITIALIZERS, "glorot", default="glorot")
    _add_choice(add, "--dtype", "of the weights", ("float32", "float64"), "float32", default="float32")
    add = parser.group("training")
    _add_choice(add, "--optimizer", "how weights are updated", OPTIMIZERS, "sgd", default="sgd")
    add("--momentum", type=float, metavar="FACTOR", help="0 to 1 (default: 0.9 where the optimizer has it)")
    add("--l2", type=float, default=0.0, metavar="FACTOR", help="L2 penalty on the weights (default: 0)")
    add("--batch-size", type=int, default=10, metavar="N", help="samples between two updates (default: 10)")


def _add_seed(parser: Parser) -> None:
    parser.group("network")("--seed", type=int, default=1, metavar="N", help="of weights and shuffling (default: 1)")


def _add_epochs(parser: Parser) -> None:
    add = parser.group("training")
    rates = ", ".join(f"{record.learning_rate:g} for {name}" for name, record in OPTIMIZER_RECORDS.items())
    add("--learning-rate", type=float, metavar="RATE", help=f"of the mean gradient of a batch (default: {rates})")
    add("--epochs", type=int, default=10, metavar="N", help="passes over the training images (default: 10)")


def _add_training(parser: Parser) -> None:
    add = parser.group("training")
    add(
        "--early-stopping",
        type=int,
        metavar="N",
        help="end once the loss of the images held out has not fallen for N epochs, with the weights of the best one",
    )
    add = parser.group("results")
    add("--save", metavar="FILE", help="write the trained model to this file, also after Ctrl-C")
    _add_plot(parser, "draw the training curves")
    add("--explain", action="store_true", help="say what the training would run, and why, and do not train")


def _add_search(parser: Parser) -> None:
    add = parser.group("search")
    add(
        "--k",
        type=IntegerList("numbers of neighbours such as 1,3,5"),
        nargs="+",
        default=[[5]],
        metavar="N,N",
        help="how many neighbours vote; of several, one search serves all (default: 5)",
    )
    _add_choice(add, "--metric", "distance", METRICS, "euclidean", default="euclidean")
    _add_choice(add, "--weights", "of the votes", VOTE_WEIGHTS, "uniform", default="uniform")
    _add_data(parser)
    add = parser.group("data")
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
    _add_plot(parser, "draw a picture", SEARCH_PICTURES, usual="k for several, else confusion")


def _add_page(parser: Parser) -> None:
    parser.group(WORDS)(
        "model", metavar="MODEL", nargs="?", help="a file that fastnn train --save wrote (default: one is trained)"
    )
    _add_data(parser)
    add = parser.group("page")
    add("--port", type=int, default=8484, metavar="N", help="of 127.0.0.1; 0 takes a free one (default: 8484)")
    add("--no-open", action="store_true", help="open no browser")
    add("--export", metavar="FILE", help="write the page with the network inside to FILE.html, and serve nothing")
