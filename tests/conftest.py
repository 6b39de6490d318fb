"""Fixtures for every folder of tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

import fastnn
from fastnn.kernels import Kernels

pytest.register_assert_rewrite("layer_twins", "point_sets", "problems", "script_runner")  # so that failures show values

os.environ["PYTHONSAFEPATH"] = "1"  # children import the fastnn that is tested, not sources in their working directory
# xdist runs a process on each core; NumPy's threads, were there several in each, would spin for the cores of others.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a background job's, which its children would ignore as well
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    """Stop in one sentence where there are no compiled kernels, as in a clone whose own sources are imported."""
    try:
        fastnn.get_backend("native")
    except fastnn.FastnnError as error:
        raise pytest.UsageError(f"the tests need fastnn's compiled kernels; {error}") from None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test marked ``quick("a", "b")``, the first case for each pair of its parameters a and b is quick."""
    seen = set()
    for item in items:
        for mark in [mark for mark in item.own_markers if mark.name == "quick"]:
            case = (item.nodeid.partition("[")[0], *(repr(item.callspec.params[name]) for name in mark.args))
            if case in seen:
                item.own_markers.remove(mark)
            seen.add(case)


@pytest.fixture(params=["native", "numba", "numpy"])
def backend(request: pytest.FixtureRequest) -> Iterator[Kernels]:
    """Each backend's kernel table in turn; it is also the chosen backend while the test runs.

    A backend that cannot load fails its tests: a build without its kernels must not look healthy.
    """
    with fastnn.use(request.param):
        yield fastnn.get_backend()


@pytest.fixture
def many_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a machine with fewer cores start four threads all the same, and for as little work as tests have."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    native = fastnn.get_backend("native")
    native.override_plan(all_threads=True)
    yield
    native.override_plan(all_threads=None)


@pytest.fixture(scope="session")
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in a new interpreter that imports what this one can; keywords are environment variables."""

    def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FASTNN_")}
        return subprocess.run(
            [sys.executable, "-P", "-c", program, *arguments],
            env={**inherited, "PYTHONPATH": path, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
