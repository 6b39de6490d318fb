"""Completion, as the shells themselves do it: keys are pressed in bash and zsh, and fish is asked."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess

import pytest
from shells import PROMPT, Shell

from fastnn import cli
from fastnn.cli.arguments import COMMANDS, INITIALIZERS, SHELLS, parsers
from fastnn.kernels.records import HIDDEN_ACTIVATIONS, LOSSES, METRICS, OPTIMIZERS

SHOW = "fastnn() { printf '<%s>' \"$@\"; }"  # in place of the command: the words that it would get
INSERT_ALL = "\033*"  # bash's key for all completions

# What is typed before a word, its start, and the whole word.
COMPLETIONS = [
    ("", "tra", "train"),
    ("", "lr", "lr-find"),
    ("completion ", "z", "zsh"),
    ("train ", "--ear", "--early-stopping"),
    ("train --loss ", "quad", "quadratic"),
    ("train --epochs 3 --activation ", "hard", "hard_sigmoid"),
    ("train --save ", "fol", "folder/"),
    ("lr-find --init ", "tr", "truncated_normal"),
    ("evaluate ", "dig", "digits.safetensors"),
    ("evaluate digits.safetensors ", "--pic", "--picture"),
    ("evaluate digits.safetensors --picture ", "mis", "mistakes"),
    ("predict digits.safetensors ", "pho", "photo of a 7.png"),
    ("knn --metric ", "man", "manhattan"),
    ("knn --data ", "fol", "folder/"),
    ("draw --no-open --export ", "dig", "digits.safetensors"),
    ("accel ", "scr", "script.py"),
    ("accel ", "--prof", "--profile"),
    ("train --optimizer=", "nest", "nesterov"),
    ("evaluate --data=", "fol", "folder/"),
]
CHOICES = {
    "completion": SHELLS,
    "knn --metric": METRICS,
    "train --activation": HIDDEN_ACTIVATIONS,
    "train --init": INITIALIZERS,
    "train --loss": LOSSES,
    "train --optimizer": OPTIMIZERS,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completion")
    for name in ("digits.safetensors", "photo of a 7.png", "script.py"):
        (folder / name).touch()
    (folder / "folder").mkdir()
    return folder


def script(shell: str, folder) -> str:
    """What the command prints, in a file."""
    path, text = folder / f".completion.{shell}", io.StringIO()
    with contextlib.redirect_stdout(text):
        assert cli.main(["completion", shell]) == 0
    path.write_text(text.getvalue())
    return str(path)


def installed(name: str, *options: str) -> list[str]:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return [name, *options]


@pytest.fixture(scope="module")
def bash(folder):
    with Shell(installed("bash", "--norc", "--noprofile", "-i"), folder) as shell:
        shell.until(PROMPT)
        shell.keys(f"bind 'set enable-bracketed-paste off'; {SHOW}; source {script('bash', folder)}\n")
        yield shell


@pytest.fixture(scope="module")
def zsh(folder):
    with Shell(installed("zsh", "-f", "-i", "+o", "prompt_sp"), folder) as shell:
        shell.until(PROMPT)
        shell.keys(
            f"unset zle_bracketed_paste; unsetopt auto_remove_slash; {SHOW}; autoload -U compinit; compinit -D -u\n"
        )
        shell.keys(f"source {script('zsh', folder)}\n")
        yield shell


@pytest.fixture(scope="module")
def fish(folder):
    """What fish offers for what is typed."""
    source = f"source {script('fish', folder)}; complete -C $argv[1]"
    words = installed("fish", "--no-config", "-c", source)

    def offers(typed: str) -> list[str]:
        done = subprocess.run([*words, f"fastnn {typed}"], cwd=folder, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        return [line.partition("\t")[0].replace("\\", "") for line in done.stdout.splitlines()]

    return offers


def typed_words(shell: Shell, keys: str) -> list[str]:
    return re.findall(r"<([^<>]*)>", shell.keys(f"fastnn {keys}\n"))


def words_of(before: str, word: str) -> list[str]:
    """The arguments of a line; what stands before an equals sign belongs to the last."""
    *first, last = f"{before}\0".split()
    return [*first, last.replace("\0", word)]


def flags_of(command: str) -> list[str]:
    return sorted(name for name in parsers()[1][command].flag_names if name.startswith("--"))


@pytest.mark.parametrize(("before", "start", "word"), COMPLETIONS)
def test_bash(bash, before, start, word):
    assert typed_words(bash, f"{before}{start}\t") == words_of(before, word)


@pytest.mark.parametrize(("before", "start", "word"), COMPLETIONS)
def test_zsh(zsh, before, start, word):
    assert typed_words(zsh, f"{before}{start}\t") == words_of(before, word)


@pytest.mark.parametrize(("before", "start", "word"), COMPLETIONS)
def test_fish(fish, before, start, word):
    assert [found.rpartition("=")[2] for found in fish(f"{before}{start}")] == [word]


@pytest.mark.parametrize("command", [name for commands in COMMANDS.values() for name in commands])
def test_every_flag_is_offered(bash, fish, command):
    assert sorted(typed_words(bash, f"{command} --{INSERT_ALL}")) == sorted([command, *flags_of(command)])
    assert sorted(fish(f"{command} --")) == flags_of(command)


@pytest.mark.parametrize("before", CHOICES)
def test_every_choice_is_offered(bash, fish, before):
    found = typed_words(bash, f"{before} {INSERT_ALL}")
    assert sorted(word for word in found if not word.startswith("-")) == sorted([before.split()[0], *CHOICES[before]])
    assert sorted(fish(f"{before} ")) == sorted(CHOICES[before])


def test_no_file_is_offered_for_a_number(bash, fish):
    assert typed_words(bash, f"train --epochs {INSERT_ALL}") == ["train", "--epochs"]
    assert fish("train --epochs ") == []
