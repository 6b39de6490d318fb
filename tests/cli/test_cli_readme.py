"""Every command of README's shell blocks runs as it stands there, in a folder with the files that it names.

But for the page's port, which somebody on this machine may have taken.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
LINES = [line.partition(" && ")[2] or line for block in BLOCKS for line in block.splitlines()]
COMMANDS = [shlex.split(line, comments=True)[1:] for line in LINES if line.startswith("fastnn ")]
OTHERS = [line for line in LINES if not line.startswith("fastnn ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


def started(folder, *words: str) -> subprocess.Popen:
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    environment = {**os.environ, "PYTHONPATH": path, "MPLBACKEND": "agg", "BROWSER": "true"}
    line = [sys.executable, "-m", "fastnn", *words]
    return subprocess.Popen(
        line, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_the_commands_are_found():
    assert [words[0] for words in COMMANDS if words[0] != "draw"][:2] == ["train", "train"]
    assert len(COMMANDS) >= 9
    assert len(OTHERS) == 1  # pytest
    assert OTHERS[0].startswith("pytest ")


# In one test, as one command's file is another's.
def test_every_command_runs(folder):
    answers = {}
    for words in COMMANDS:
        with started(folder, *words, *(["--port", "0"] if words[0] == "draw" else [])) as process:
            if words[0] == "draw":
                address = process.stdout.readline().removeprefix("Draw at ").partition("/#")[0]
                with urllib.request.urlopen(address, timeout=60) as reply:
                    assert b"<title>fastnn draw</title>" in reply.read()
                process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=300)
        assert process.returncode == 0, (words, out, err)
        assert words[0] == "accel" or not err, words
        answers[words[0]] = out
        for flag in ("--save", "--plot"):
            if flag in words:
                assert (folder / words[words.index(flag) + 1]).stat().st_size > 1000
    assert "7.png: 7  (" in answers["predict"]
