"""What the command says of itself, and what it shows on a terminal: groups, examples, colours, tables that fit."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from bars import bars, write_bars
from PIL import Image
from shells import Shell

import fastnn
from fastnn import cli
from fastnn.accel import runner
from fastnn.cli.arguments import COMMANDS, parse, parsers
from fastnn.cli.parser import Parser
from fastnn.cli.terminal import table

ROOT = str(Path(fastnn.__file__).parents[1])
NAMES = [name for commands in COMMANDS.values() for name in commands]
COLOUR = re.compile("\033\\[[0-9]+m")


@pytest.fixture(autouse=True)
def no_wishes(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def help_of(capsys, *words: str) -> str:
    assert cli.main([*words, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def sections(text: str) -> dict[str, str]:
    """The parts of a help by their headings."""
    parts = re.split(r"^([a-z][a-z ]*):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_help_lists_every_command_in_groups(capsys):
    found = sections(help_of(capsys))
    assert list(found) == [*COMMANDS, "flags", "examples"]
    for title, commands in COMMANDS.items():
        assert re.findall(r"^  ([\w-]+)  ", found[title], re.MULTILINE) == list(commands)
    assert list(parsers()[1]) == NAMES


@pytest.mark.parametrize("name", ["", *NAMES])
def test_every_help_has_two_examples_that_parse(capsys, name):
    found = sections(help_of(capsys, *name.split()))
    examples = [shlex.split(line) for line in found["examples"].splitlines() if line]
    assert len(examples) == 2
    if name == "accel":
        return
    for program, *words in examples:
        assert program == "fastnn"
        words = [word for word in words if not word.startswith(">")]
        assert words[0] == name or not name
        assert parse(words).command == words[0]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "accel"])
def test_every_flag_is_in_a_group_with_a_text(capsys, name):
    found = sections(help_of(capsys, name))
    for action in parsers()[1][name].actions:
        assert action.help
        shown = action.option_strings[-1] if action.option_strings else action.metavar
        assert [title for title, part in found.items() if re.search(rf"^  .*{shown}", part, re.MULTILINE)]
    assert list(found)[-2:] == ["flags", "examples"]


def test_the_flags_of_accel_are_those_that_it_reads():
    found = set(re.findall(r"^  (-\w), (--\w+)|^  (--\w+)", runner.HELP, re.MULTILINE))
    flags = {flag for flags in found for flag in flags if flag}
    assert flags == set(parsers()[1]["accel"].flag_names)


def test_argparse_calls_what_is_overridden_of_it(capsys, monkeypatch):
    """Its private methods, by which colours and suggestions reach the help, --version and the choices."""
    called = []
    for name in ("_print_message", "_check_value"):
        method = getattr(Parser, name)

        def noted(self, *arguments, method=method, name=name):
            called.append(name)
            return method(self, *arguments)

        monkeypatch.setattr(Parser, name, noted)
    for words, names in (
        (["--version"], {"_print_message"}),
        (["--help"], {"_print_message"}),
        (["train", "--help"], {"_print_message", "_check_value"}),
        (["tain"], {"_print_message", "_check_value"}),
        (["train", "--loss", "none"], {"_print_message", "_check_value"}),
    ):
        called.clear()
        cli.main(words)
        assert set(called) == names, words
    assert {action.dest for action in parsers()[0].actions} == {"version", "help"}


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", ["", "train", "knn", "draw"])
def test_help_fits_the_terminal(capsys, monkeypatch, name, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = help_of(capsys, *name.split()).partition("examples:")[0]
    assert max(map(len, text.splitlines())) <= columns


def test_the_command_alone_shows_its_help_and_is_wrong_usage(capsys):
    text = help_of(capsys)
    assert cli.main([]) == 2
    assert capsys.readouterr() == ("", text)


def environment(**wishes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": ROOT, **wishes}


def test_no_colours_in_a_pipe_unless_they_are_forced():
    for words, code in ((["--help"], 0), (["tain"], 2), (["evaluate", "missing"], 1), (["backends"], 0)):
        line = [sys.executable, "-P", "-m", "fastnn", *words]
        plain, forced, both = (
            subprocess.run(line, env=environment(**wishes), capture_output=True, text=True, timeout=60)
            for wishes in ({}, {"FORCE_COLOR": "1"}, {"FORCE_COLOR": "1", "NO_COLOR": "1"})
        )
        assert plain.returncode == forced.returncode == both.returncode == code
        assert (plain.stdout, plain.stderr) == (both.stdout, both.stderr)
        assert not COLOUR.search(plain.stdout + plain.stderr)
        assert COLOUR.search(forced.stdout + forced.stderr)
        assert COLOUR.sub("", forced.stdout) == plain.stdout
        assert COLOUR.sub("", forced.stderr) == plain.stderr


@pytest.mark.parametrize(
    ("wishes", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_on_a_terminal(tmp_path, wishes, coloured):
    line = ["env", *(f"{name}={value}" for name, value in wishes.items()), f"PYTHONPATH={ROOT}"]
    script = shlex.join([*line, sys.executable, "-P", "-m", "fastnn", "backends"]) + "; echo done"
    with Shell(["sh", "-c", script], tmp_path) as shell:
        text = shell.until("done\r\n", raw=True)
    assert "numpy" in text
    assert bool(COLOUR.search(text)) == coloured


def on_a_terminal(monkeypatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("fastnn.cli.terminal.is_terminal", lambda stream: stream is sys.stdout)
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return write_bars(tmp_path_factory.mktemp("idx"))


@pytest.mark.parametrize("columns", [24, 40, 80])
def test_the_confusion_fits_the_terminal(data, capsys, monkeypatch, columns):
    words = ["knn", "--data", data, "--k", "7", "--backend", "numpy"]
    assert cli.main(words) == 0
    whole = [line.split() for line in capsys.readouterr().out.splitlines()[4:15]]
    on_a_terminal(monkeypatch, columns)
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    lines = lines[1 + next(place for place, line in enumerate(lines) if line.endswith("class:")) :]
    parts = [lines[i : i + 11] for i in range(0, len(lines) - len(lines) % 11, 11)]
    assert all(len(line) <= columns for part in parts for line in part)
    rows = [[], *([name] for name, *_ in whole[1:])]
    for part in parts:
        for row, line in enumerate(part):
            rows[row] += line.split()[row > 0 :]
    assert rows == whole
    assert len(parts) == {24: 2, 40: 1, 80: 1}[columns]


def test_a_table_has_at_least_a_column_beside_the_first():
    cells = [["", "long title", "b"], ["row", "1", "2"]]
    assert list(table(cells, 5)) == ["      long title", "  row          1", "      b", "  row 2"]
    assert list(table(cells, None)) == ["       long title  b", "  row           1  2"]


def test_the_answers_of_predict_fit_the_terminal(data, tmp_path, capsys, monkeypatch):
    model, picture = str(tmp_path / "m"), str(tmp_path / "bar.png")
    images, _ = bars(1, 3)
    Image.fromarray(255 - images[0]).save(picture)
    with fastnn.use("numpy"):
        fastnn.MLP([784, 10], seed=1).save(model)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["predict", "m", "bar.png", "--backend", "numpy"]) == 0
    (whole,) = capsys.readouterr().out.splitlines()
    on_a_terminal(monkeypatch, 60)
    assert cli.main(["predict", "m", "bar.png", "--backend", "numpy"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    every = dict(re.findall(r"(\d): (0\.\d+)", whole))
    shown = re.findall(r"(\d): (0\.\d+)", line)
    assert len(line) <= 60
    assert len(shown) == 4
    likeliest = sorted(every, key=lambda label: -float(every[label]))[:4]
    assert [every[label] for label in likeliest] == [p for _, p in shown]
    assert line.startswith(whole.partition("(")[0])


@pytest.mark.parametrize("columns", [40, 60])
@pytest.mark.parametrize("words", [["train", "--epochs", "2"], ["lr-find"], ["knn", "--k", "1,3"]], ids=" ".join)
def test_lines_fit_the_terminal(data, capsys, monkeypatch, words, columns):
    on_a_terminal(monkeypatch, columns)
    monkeypatch.setattr("fastnn.nn.fit.is_terminal", lambda stream: stream is sys.stdout)
    assert cli.main([*words, "--data", data, "--backend", "numpy"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= columns


def test_reasons_of_missing_backends_fit_the_terminal(capsys, monkeypatch):
    reason = "because of many words " * 12
    found = {"native": (False, reason), "numpy": (True, "2.4")}
    monkeypatch.setattr("fastnn.kernels.backends", lambda: found)
    on_a_terminal(monkeypatch, 50)
    assert cli.main(["backends"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 50 for line in lines)
    assert " ".join(" ".join(lines[:-1]).split()) == f"native missing {reason}".strip()
    assert lines[1].startswith(" " * 19 + "b") or lines[1].startswith(" " * 19)
