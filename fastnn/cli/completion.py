"""``fastnn completion``: a script with which a shell completes this command, written from its parsers.

An own one, as it is short and shtab, which writes such scripts too, knows no fish.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping

from .arguments import FILES, SUMMARIES, parsers
from .parser import NameList, Parser


def run(arguments: argparse.Namespace) -> int:
    """Print the script for a shell."""
    parser, commands = parsers()
    write = {"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell]
    print("\n".join(write(parser, commands)))
    return 0


def _names(actions: Iterable[argparse.Action]) -> list[str]:
    return [name for action in actions for name in action.option_strings]


def _values(action: argparse.Action) -> list[str] | None:
    """What may follow a flag, or stand in the place of an argument; None where only its user knows."""
    names = action.type.names if isinstance(action.type, NameList) else action.choices
    return None if names is None else list(map(str, names))


def _takes_file(action: argparse.Action) -> bool:
    return action.metavar in FILES


# bash: words are offered from COMPREPLY and, as `complete -o default` says, names of files where that stays empty.


def _bash(parser: Parser, commands: Mapping[str, Parser]) -> list[str]:
    cases = [line for name, command in commands.items() for line in _bash_case(name, command)]
    return [
        "# Completes fastnn in bash; written by `fastnn completion bash`.",
        "_fastnn() {",
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= files=",
        "    if [[ $word == = ]]; then  # of --flag=value, which bash takes for three words",
        "        word=",
        "    elif [[ $before == = ]]; then",
        "        before=${COMP_WORDS[COMP_CWORD-2]}",
        "    fi",
        "    if ((COMP_CWORD == 1)); then",
        f"        words='{' '.join([*commands, *parser.flag_names])}'",
        "    else",
        "        case ${COMP_WORDS[1]} in",
        *cases,
        "        esac",
        "    fi",
        '    COMPREPLY=($(compgen -W "$words" -- "$word"))',
        "    [[ $files ]] || compopt +o default 2>/dev/null  # which bash 3 lacks",
        "}",
        "complete -o default -F _fastnn fastnn",
    ]


def _bash_case(name: str, parser: Parser) -> list[str]:
    """What follows each flag of a command, and what follows anything else."""
    flags, arguments = parser.flags, parser.positionals
    offers: dict[str, list[argparse.Action]] = {}
    for action in flags:
        if action.nargs != 0:
            values = _values(action)
            offered = f"words='{' '.join(values)}' " if values else "files=1 " if _takes_file(action) else ""
            offers.setdefault(offered, []).append(action)
    lines = [f"        {name})", "            case $before in"]
    lines += [f"            {'|'.join(_names(actions))}) {offered};;" for offered, actions in offers.items()]
    if any(map(_takes_file, arguments)):
        lines.append(f"            *) files=1; [[ $word == -* ]] && words='{' '.join(_names(flags))}' ;;")
    else:
        values = [value for action in arguments for value in _values(action) or ()]
        lines.append(f"            *) words='{' '.join([*values, *_names(flags)])}' ;;")
    return [*lines, "            esac ;;"]


# zsh: _arguments takes '--flag=[what it is]:what follows:what completes that'.


def _zsh(parser: Parser, commands: Mapping[str, Parser]) -> list[str]:
    described = [_zsh_quoted(f"{name}:{SUMMARIES[name]}") for name in commands]
    lines = [
        "#compdef fastnn",
        "# Completes fastnn in zsh; written by `fastnn completion zsh`.",
        "_fastnn() {",
        "    local command=$words[2]",
        "    local -a commands=(",
        *(f"        {line}" for line in described),
        "    )",
        "    if ((CURRENT == 2)); then",
        f"        _arguments {' '.join(map(_zsh_flag, parser.flags))} '1: :{{_describe command commands}}'",
        "        return",
        "    fi",
        "    shift words",
        "    ((CURRENT--))",
        "    case $command in",
    ]
    for name, command in commands.items():
        specs = [*map(_zsh_flag, command.flags), *map(_zsh_argument, command.positionals)]
        lines += [f"    {name})", "        _arguments \\", " \\\n".join(f"            {spec}" for spec in specs)]
        lines += ["        ;;"]
    end = ["    esac", "}", 'if [[ $funcstack[1] == _fastnn ]]; then _fastnn "$@"; else compdef _fastnn fastnn; fi']
    return lines + end


def _zsh_flag(action: argparse.Action) -> str:
    names, text = action.option_strings, _zsh_escaped(_help(action))
    equals = "" if action.nargs == 0 else "="
    what = "" if action.nargs == 0 else f":{action.metavar}:{_zsh_action(action)}"
    specs = [_zsh_quoted(f"{name}{equals if name.startswith('--') else ''}[{text}]{what}") for name in names]
    return " ".join(specs)


def _zsh_argument(action: argparse.Action) -> str:
    many = "*" if action.nargs in ("+", "...") else ""
    optional = ":" if action.nargs == "?" else ""
    return _zsh_quoted(f"{many}:{optional}{action.metavar}:{_zsh_action(action)}")


def _zsh_action(action: argparse.Action) -> str:
    values = _values(action)
    if values:
        return f"({' '.join(values)})"
    return "_files" if _takes_file(action) else " "


def _zsh_escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "[]:\\" else letter for letter in text)


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# fish: a line for each name, with the command after which it is offered.


def _fish(parser: Parser, commands: Mapping[str, Parser]) -> list[str]:
    lines = ["# Completes fastnn in fish; written by `fastnn completion fish`.", "complete -c fastnn -f"]
    first = "-n __fish_use_subcommand"
    lines += [f"complete -c fastnn {first} -a {name} -d {_fish_quoted(SUMMARIES[name])}" for name in commands]
    lines += [_fish_line(action, first) for action in parser.flags]
    for name, command in commands.items():
        condition = f"-n '__fish_seen_subcommand_from {name}'"
        lines += [_fish_line(action, condition) for action in command.actions]
    return lines


def _fish_line(action: argparse.Action, condition: str) -> str:
    words: list[str] = []
    for name in action.option_strings:
        words += ["-l", name[2:]] if name.startswith("--") else ["-s", name[1:]]
    values = _values(action)
    if _takes_file(action):
        words += ["-r", "-F"] if action.option_strings else ["-F"]
    elif action.option_strings and action.nargs != 0:
        words += ["-x"]
    if values:
        words += ["-a", _fish_quoted(" ".join(values))]
    text = _help(action) if action.option_strings else ""
    return " ".join(["complete -c fastnn", condition, *words, *(["-d", _fish_quoted(text)] if text else [])])


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _help(action: argparse.Action) -> str:
    """What a flag is, in a few words: what stands before its choices, defaults and exceptions."""
    return re.split(r" \(|[:;]", str(action.help))[0]
