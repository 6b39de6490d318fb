"""argparse with help in groups and examples, colours, and suggestions for misspelt names.

Two private methods of argparse are overridden, here alone, as there is no other way to what they do: ``_print_message``
writes every text of a parser, that of ``--version`` among them, and ``_check_value`` says which choices there are. A
test fails where Python no longer calls them.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ..errors import did_you_mean
from .terminal import BOLD, CYAN, RED, hanging_indent, has_colours, paint

FLAG = re.compile(r"(?<![\w-])--?[a-z][\w-]*")
HEADING = re.compile(r"^([a-z][\w -]*:)(?=$| fastnn)", re.MULTILINE)

Add = Callable[..., argparse.Action]  # as add_argument


class NameList:
    """Converts names with commas or blanks between them to a list; which names there are also completes them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def __call__(self, text: str) -> list[str]:
        found = words(text)
        for name in found:
            if name not in self.names:
                expected = ", ".join(self.names)
                hint = did_you_mean(name, self.names)
                raise argparse.ArgumentTypeError(f"expected one of {expected}, found {name!r}{hint}")
        return found


class IntegerList:
    """Converts whole numbers with commas or blanks between them to a list."""

    def __init__(self, expected: str) -> None:
        self.expected = expected

    def __call__(self, text: str) -> list[int]:
        try:
            return [int(word) for word in words(text)]
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected {self.expected}, found {text!r}") from None


class Parser(argparse.ArgumentParser):
    """A parser whose help ends with examples; it fails where that help cannot be written."""

    def __init__(self, *, examples: Sequence[str] = (), **settings: Any) -> None:
        settings = {"add_help": False, "allow_abbrev": False, **settings}
        super().__init__(**settings, formatter_class=argparse.RawDescriptionHelpFormatter)
        self.color, self.suggest_on_error = False, False  # Python 3.14's own, in place of which are those below
        self.examples = examples
        self.actions: list[argparse.Action] = []  # all arguments but the commands, in their order
        self._groups: dict[str, Add] = {}

    def group(self, title: str) -> Add:
        """What adds arguments below a title of the help, where groups stand in the order of their first arguments."""
        if title not in self._groups:
            self._groups[title] = self.add_argument_group(title).add_argument

        def add(*names: str, **settings: Any) -> argparse.Action:
            self.actions.append(self._groups[title](*names, **settings))
            return self.actions[-1]

        return add

    @property
    def flags(self) -> list[argparse.Action]:
        return [action for action in self.actions if action.option_strings]

    @property
    def positionals(self) -> list[argparse.Action]:
        return [action for action in self.actions if not action.option_strings]

    @property
    def flag_names(self) -> list[str]:
        return [name for action in self.flags for name in action.option_strings]

    def format_usage(self) -> str:
        return f"usage: {self.usage or self._short_usage()}\n"

    def _short_usage(self) -> str:
        """Without the flags, which --help lists."""
        shown = [self.prog]
        for action in self.positionals:
            name = str(action.metavar)
            shown.append({"?": f"[{name}]", "+": f"{name} [{name} ...]"}.get(str(action.nargs), name))
        return " ".join([*shown, "[flags]"])

    def format_help(self) -> str:
        self.usage = self.usage or self._short_usage()
        lines = "".join(f"\n  fastnn {example}" for example in self.examples)
        self.epilog = f"examples:{lines}" if lines else None
        return super().format_help()

    def _print_message(self, message: str, file: Any = None) -> None:
        if has_colours(file):
            message = HEADING.sub(lambda found: paint(found[0], BOLD, file), message)
            message = FLAG.sub(lambda found: paint(found[0], CYAN, file), message)
        if file is sys.stdout:
            sys.stdout.write(message)  # argparse ignores a full disk
        else:
            super()._print_message(message, file)

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {paint('error:', RED, sys.stderr)} {message}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            raise argparse.ArgumentError(action, error.message + did_you_mean(value, action.choices or ())) from None

    def has(self, flag: str) -> bool:
        return flag in self.flag_names

    def users_name(self, argument: str) -> str | None:
        """What the user calls an argument of the library that a flag or word of this command gives; None if none."""
        flag = f"--{argument.replace('_', '-')}"
        if self.has(flag):
            return flag
        return next((str(action.metavar) for action in self.positionals if action.dest == argument), None)

    def refuse(self, unknown: Sequence[str], others: Mapping[str, Parser]) -> NoReturn:
        """Fail for words that are no arguments of this command; another may have them."""
        flags = [word.partition("=")[0] for word in unknown if word.startswith("--")]
        hints = (owners(flag, others) or did_you_mean(flag, self.flag_names) for flag in flags)
        self.error(f"unrecognized arguments: {' '.join(unknown)}{''.join(hints)}")


def listing(rows: Iterable[tuple[str, str]], longest: int) -> str:
    """Names and what they are, a line or more each, no wider than the terminal."""
    return "\n".join(hanging_indent(f"  {name:{longest}}  ", text, _columns()) for name, text in rows)


def wrapped(text: str) -> str:
    return hanging_indent("", text, _columns())


def _columns() -> int:
    return shutil.get_terminal_size().columns - 2  # as argparse has it


def owners(flag: str, commands: Mapping[str, Parser]) -> str:
    """What to end a message with: which commands have the flag, if any."""
    found = [name for name, command in commands.items() if command.has(flag)]
    return f"; {flag} is a flag of {', '.join(found)}" if found else ""


def words(text: str) -> list[str]:
    return text.replace(",", " ").split()
