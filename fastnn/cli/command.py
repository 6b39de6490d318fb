"""The ``fastnn`` command; arguments.py lists what it can do.

Results go to stdout, all else to stderr. It exits with 0 when all went well, 1 when something failed (a closed stdout
included), 2 for wrong usage, 130 when interrupted and 141 when the reader of its output has gone. This module reports
failures; what a command does is ``run`` in the module of its name.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from ..errors import FastnnError, InvalidArgumentError, InvalidTypeError
from .arguments import parse, parsers
from .terminal import RED, YELLOW, paint

# Exit codes; the last two are 128 and the number of the signal, as shells count.
FAILURE, USAGE, INTERRUPTED, READER_GONE = 1, 2, 130, 141


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
        return _fail("stdout is closed; /dev/null takes results that are not wanted", FAILURE)
    try:
        code = _run(argv)
        sys.stdout.flush()  # here, where a failure can still be reported
        return code
    except BrokenPipeError as gone:
        _discard(sys.stdout)
        # The system's error has a number; a command's has words for what it did about it.
        return READER_GONE if gone.errno is not None or not gone.args else _complain(str(gone), READER_GONE)
    except KeyboardInterrupt as stop:  # which a command may have said more about
        return _complain(str(stop) or "interrupted", INTERRUPTED)
    except (InvalidArgumentError, InvalidTypeError) as error:  # of a flag's value, found by the library
        return _fail(error, USAGE)
    except FastnnError as error:
        return _fail(error, FAILURE)
    except OSError as error:
        _discard(sys.stdout)
        return _fail(error, FAILURE)
    except MemoryError:
        return _fail("not enough memory", FAILURE)


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
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
    """The same error with the name of the command's argument where the library has that of its own."""
    argument, bracket, index = error.argument.partition("[")
    commands = parsers()[1]
    name = commands[arguments.command].users_name("threads" if argument == "num_threads" else argument)
    if name is None:
        return error
    return InvalidArgumentError(f"{name}{bracket}{index}", error.expected, error.found)


def _show_warning(message: Warning | str, *_args: object, **_kwargs: object) -> None:
    print(f"fastnn: {paint('warning:', YELLOW, sys.stderr)} {message}", file=sys.stderr)


def _fail(error: object, code: int) -> int:
    return _complain(f"{paint('error:', RED, sys.stderr)} {error}", code)


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
