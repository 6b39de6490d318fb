"""Temporary files of writers that were killed: the next writer removes them, and never one of a living writer."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import fastnn
from fastnn.io import atomic as files

WRITER = """
import sys
from fastnn.io import atomic as files

def parts():
    yield b"x" * 1000000
    print("half way", flush=True)
    yield sys.stdin.buffer.read()

files.write_atomically("file", parts())
"""
LEFTOVER = ".fastnn-0123456789abcdef.tmp"


@contextlib.contextmanager
def half_way(folder: Path):
    """A process that is writing "file" in the folder, and its temporary file; it goes on when its stdin ends."""
    environment = {**os.environ, "PYTHONPATH": str(Path(fastnn.__file__).parents[1])}
    options = {"cwd": folder, "env": environment, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", WRITER], **options) as process:
        try:
            assert process.stdout.readline() == b"half way\n"
            (temporary,) = folder.glob(".fastnn-*.tmp")
            assert temporary.stat().st_size == 1_000_000
            yield process, temporary
        finally:
            process.kill()


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_what_a_killed_writer_leaves_is_removed_by_the_next(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with half_way(tmp_path) as (process, temporary):
        process.kill()
        process.wait()
        assert temporary.exists()
        files.write_atomically(tmp_path / "other", [b"new"])
    assert names(tmp_path) == ["file", "other"]
    assert (tmp_path / "file").read_bytes() == b"old"
    assert (tmp_path / "other").read_bytes() == b"new"


def test_a_living_writer_is_left_alone(tmp_path):
    with half_way(tmp_path) as (process, temporary):
        for _ in range(3):
            files.write_atomically(tmp_path / "file", [b"another's"])
        assert temporary.exists()
        process.communicate(b"end", timeout=60)
        assert process.returncode == 0
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"x" * 1_000_000 + b"end"


def test_threads_that_save_to_one_folder(tmp_path):
    failures = []

    def save(thread: int) -> None:
        try:
            for turn in range(50):
                files.write_atomically(tmp_path / f"file{thread}", [b"%d" % turn, b" of %d" % thread])
                assert (tmp_path / f"file{thread}").read_bytes() == b"%d of %d" % (turn, thread)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=save, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert names(tmp_path) == ["file0", "file1", "file2", "file3"]


@pytest.mark.parametrize("cleaner", ["has removed it", "is about to remove it"])
def test_a_file_that_is_removed_before_it_is_locked_is_made_anew(tmp_path, monkeypatch, cleaner):
    flock, taken = fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        temporaries = list(tmp_path.glob(".fastnn-*.tmp"))
        if temporaries and not taken:
            (temporary,) = temporaries
            taken.append(temporary)
            if cleaner == "is about to remove it":
                with temporary.open() as other:
                    flock(other, fcntl.LOCK_EX)
                    try:
                        flock(descriptor, operation)
                    finally:
                        temporary.unlink()
            temporary.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    files.write_atomically(tmp_path / "file", [b"new"])
    assert len(taken) == 1
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"new"


def test_the_lock_is_held_until_the_file_has_its_name(tmp_path, monkeypatch):
    def late(source: str, target: str) -> None:
        monkeypatch.undo()
        files.write_atomically(tmp_path / "other", [b"another's"])
        os.replace(source, target)

    monkeypatch.setattr(os, "replace", late)
    files.write_atomically(tmp_path / "file", [b"new"])
    assert names(tmp_path) == ["file", "other"]


def test_only_regular_files_of_these_names_are_removed(tmp_path):
    kept = [
        ".fastnn-0123456789abcdef.tmp.bak",
        ".fastnn-0123456789ABCDEF.tmp",
        ".fastnn-0123456789abcde.tmp",
        "fastnn-0123456789abcdef.tmp",
        ".fastnn-0123456789abcdef.tmp\n",
    ]
    for name in (*kept, LEFTOVER):
        (tmp_path / name).touch()
    (tmp_path / ".fastnn-000000000000000a.tmp").mkdir()
    os.mkfifo(tmp_path / ".fastnn-000000000000000b.tmp")
    (tmp_path / ".fastnn-000000000000000c.tmp").symlink_to("precious")
    (tmp_path / "precious").touch()
    others = [f".fastnn-000000000000000{letter}.tmp" for letter in "abc"]
    files.write_atomically(tmp_path / "file", [b"new"])
    assert names(tmp_path) == sorted([*kept, *others, "file", "precious"])


def test_where_files_have_no_locks_nothing_is_removed(tmp_path, monkeypatch):
    def unsupported(*_args: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    (tmp_path / LEFTOVER).touch()
    monkeypatch.setattr(fcntl, "flock", unsupported)
    files.write_atomically(tmp_path / "file", [b"new"])
    assert names(tmp_path) == [LEFTOVER, "file"]


@pytest.mark.parametrize("function", ["scandir", "unlink"])
def test_what_may_not_be_listed_or_removed_stays_without_a_word(tmp_path, monkeypatch, function):
    def refuse(path: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", path)

    (tmp_path / LEFTOVER).touch()
    monkeypatch.setattr(os, function, refuse)
    files.write_atomically(tmp_path / "file", [b"new"])
    assert names(tmp_path) == [LEFTOVER, "file"]
