"""``python -m fastnn.accel``: Python in this process's place, with an environment that accelerates it.

Python itself then runs the program, so that its arguments, ``__main__``, ``sys.path``, tracebacks, signals and exit
code are what they are without accel. What is asked for on top, a table or a file at the end, the same process makes as
the last thing that it does; see startup/sitecustomize.py and ending.py. What only some options need is imported when it
is asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import FastnnError
from .environment import PROFILE, REPORT, make_folder, switch_on
from .startup.fastnn_accel_finder import ROOT, say

USAGE_ERROR = 2
USAGE = "usage: python -m fastnn.accel [-v] [--profile] [--report FILE] [--check] PROGRAM [ARGUMENT ...]"
HELP = f"""{USAGE}

Run a Python program with scikit-learn's MLPClassifier, MLPRegressor, KNeighborsClassifier, KNeighborsRegressor and
NearestNeighbors on fastnn's kernels, in the program's children too. It prints what it prints without, and exits with
the same code.

PROGRAM is what python takes: a script, -m MODULE, -c COMMAND, or - for stdin.

  -v, --verbose   say for each call whether it was accelerated and, if not, why
  --profile       at the end, a table of the calls of all processes and their seconds
  --report FILE   the same as JSON: estimator, method, accelerated, reason, seconds, calls
  --check         run each accelerated call with scikit-learn's own code, too, and at the end compare the two
  -h, --help      print this

Everything but this text goes to stderr or to FILE.

examples:
  fastnn accel --profile script.py
  python -m fastnn.accel --report calls.json -m pytest"""


class Options(NamedTuple):
    """The runner's arguments; what is from the program on belongs to Python."""

    program: list[str]
    verbose: bool = False
    profile: bool = False
    report: str | None = None
    check: bool = False
    help: bool = False


def parse(words: Sequence[str]) -> Options:
    """The options before the program; raises FastnnError for others."""
    options, left = Options([]), list(words)
    while left and left[0].startswith("-") and left[0] not in ("-", "-m", "-c"):
        word = left.pop(0)
        flag, equals, value = word.partition("=")
        if word in ("-h", "--help"):
            return options._replace(help=True)
        if word in ("-v", "--verbose"):
            options = options._replace(verbose=True)
        elif word == "--profile":
            options = options._replace(profile=True)
        elif word == "--check":
            options = options._replace(check=True)
        elif flag == "--report":
            value = value if equals else left.pop(0) if left else ""
            if not value or value.startswith("-"):
                raise FastnnError(f"--report: expected a file, found {value or 'none'}")
            options = options._replace(report=value)
        elif word[:2] in ("-m", "-c") and not word.startswith("--"):  # -mMODULE, as python takes it
            left.insert(0, word)
            break
        else:
            raise FastnnError(f"expected a program, found {word}; python's own options go before -m fastnn.accel")
    return options._replace(program=left)


def main(words: Sequence[str]) -> int:
    """Replace this process by Python with the program; returns only if that cannot be."""
    try:
        options = parse(words)
        if options.help:
            print(HELP)
            return 0
        flags = interpreter_flags()
        report = None if options.report is None else os.path.abspath(options.report)
        if report is not None:
            from ..io.atomic import check_destination

            check_destination(report)
    except FastnnError as error:
        say(f"{error}\n{USAGE}")
        return USAGE_ERROR
    environment = dict(os.environ)
    folder = None
    for name in (PROFILE, REPORT, ROOT):  # those of an accel around this one are for that one's process
        environment.pop(name, None)
    if options.profile or options.check or report is not None:
        folder = make_folder()
        environment[ROOT] = str(os.getpid())
    if options.profile:
        environment[PROFILE] = "1"
    if report is not None:
        environment[REPORT] = report
    switch_on(environment, verbose=options.verbose, check=options.check, records=folder)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *flags, *options.program], environment)


def interpreter_flags() -> list[str]:
    """Python's own options, which are for the program; raises FastnnError for those that keep the start-up file out."""
    if sys.flags.ignore_environment or sys.flags.no_site:
        raise FastnnError("python's options -E, -I and -S ignore PYTHONPATH or the start-up file that is found by it")
    words = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]
    module = "fastnn.accel"
    if words[-1:] == [module] and len(words) > 1 and words[-2].startswith("-") and words[-2].endswith("m"):
        flags, last = words[:-2], words[-2][:-1]  # -m, or with others as in -um
    elif words and words[-1].startswith("-") and words[-1].endswith(f"m{module}"):
        flags, last = words[:-1], words[-1].removesuffix(f"m{module}")
    else:  # the command fastnn, or a tool that runs this module
        import subprocess

        return list(subprocess._args_from_interpreter_flags())  # type: ignore[attr-defined]  # of no public name
    return [*flags, last] if last != "-" else flags
