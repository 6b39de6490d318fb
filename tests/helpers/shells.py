"""A shell on a terminal of its own, in which keys are pressed."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

PROMPT = "ready> "
SECONDS = 60.0  # until the next prompt at most


class Shell:
    """``keys`` presses keys and returns what has been written when the prompt is there again."""

    def __init__(self, words: list[str], folder: Path, columns: int = 200) -> None:
        self.terminal, inside = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "PS1": PROMPT, "COLUMNS": str(columns), "HOME": str(folder)}
        streams = {"stdin": inside, "stdout": inside, "stderr": inside}
        self.process = subprocess.Popen(words, cwd=folder, env=environment, start_new_session=True, **streams)
        os.close(inside)
        self.seen = ""

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def keys(self, keys: str) -> str:
        os.write(self.terminal, keys.encode())
        return self.until(PROMPT)

    def until(self, end: str, *, raw: bool = False) -> str:
        """What is written until, and without, ``end``; and without colours and moves of the cursor, if not ``raw``."""
        limit = time.monotonic() + SECONDS
        while end not in self.seen:
            ready, _, _ = select.select([self.terminal], [], [], max(0.0, limit - time.monotonic()))
            assert ready, f"no {end!r} after {self.seen!r}"
            self.seen += os.read(self.terminal, 65536).decode()
        found, self.seen = self.seen.split(end, 1)
        return found if raw else re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", found)
