"""Choosing backends and threads: names, fallback, nesting, environment variables."""

from __future__ import annotations

import importlib.machinery
import os
import re
import sys
import threading
import warnings

import numpy as np
import pytest

import fastnn
from fastnn import kernels
from fastnn.errors import BackendError, InvalidArgumentError, InvalidTypeError
from fastnn.kernels import native

NAMES = ["native", "numba", "numpy"]
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
EXTENSION = f"fastnn/kernels/native/native{SUFFIX}"


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """Every test starts from, and leaves behind, untouched settings."""
    monkeypatch.setattr(kernels, "_default", kernels._default)
    monkeypatch.setattr(kernels.threads, "LIMIT", None)
    monkeypatch.setattr(kernels, "_warned", set())
    monkeypatch.setattr(kernels, "_loaded", {})
    monkeypatch.delenv("FASTNN_NUM_THREADS", raising=False)


@pytest.fixture
def without(monkeypatch):
    """Make backends impossible to import, as where they were not built or numba is not installed."""

    def hide(*names):
        for name in names:
            if name == "native":
                monkeypatch.setitem(sys.modules, "fastnn.kernels.native", None)
            else:
                for module in [module for module in sys.modules if module.startswith("fastnn.kernels.numba")]:
                    monkeypatch.delitem(sys.modules, module)
                monkeypatch.delattr(kernels, "numba", raising=False)
                monkeypatch.setitem(sys.modules, "numba", None)

    return hide


def name_now():
    return fastnn.get_backend().name


@pytest.mark.quick
def test_every_backend_runs_here():
    status = fastnn.backends()
    assert list(status) == NAMES
    for name in NAMES:
        assert status[name].available, status[name].detail
        assert status[name].detail


@pytest.mark.parametrize("name", NAMES)
def test_get_and_set(name):
    assert fastnn.get_backend(name).name == name
    fastnn.set_backend(name)
    assert name_now() == name
    assert fastnn.get_backend("numpy").name == "numpy"
    assert name_now() == name


def test_auto_takes_the_fastest_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert name_now() == "native"
        assert fastnn.get_backend("auto").name == "native"


@pytest.mark.parametrize("call", [fastnn.get_backend, fastnn.set_backend, lambda name: fastnn.use(name).__enter__()])
@pytest.mark.parametrize(("name", "error"), [("cuda", InvalidArgumentError), ("", InvalidArgumentError)])
def test_unknown_names(call, name, error):
    with pytest.raises(error, match=f"backend: expected one of auto, native, numba, numpy, found '{name}'"):
        call(name)
    assert name_now() == "native"


@pytest.mark.parametrize("call", [fastnn.get_backend, fastnn.set_backend, lambda name: fastnn.use(name).__enter__()])
def test_names_are_strings(call):
    with pytest.raises(InvalidTypeError, match="backend: expected a string, found int"):
        call(3)


# ---- a backend is missing


def test_auto_falls_back_once_and_says_why(without):
    without("native")
    with pytest.warns(UserWarning, match="slower numba backend: native: the extension cannot be loaded") as caught:
        assert name_now() == "numba"
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert name_now() == "numba"


def test_auto_ends_at_numpy(without):
    without("native", "numba")
    with pytest.warns(UserWarning, match=r"slower numpy backend: native: .*; numba: .*pip install"):
        assert name_now() == "numpy"
    status = fastnn.backends()
    assert [status[name].available for name in NAMES] == [False, False, True]
    assert "pip install" in status["numba"].detail


@pytest.mark.parametrize("name", ["native", "numba"])
def test_a_named_backend_does_not_fall_back(without, name):
    without(name)
    for call in (fastnn.get_backend, fastnn.set_backend, lambda name: fastnn.use(name).__enter__()):
        with pytest.raises(BackendError, match=f"backend '{name}': .*{'extension' if name == 'native' else 'numba'}"):
            call(name)
    assert kernels._default.backend == "auto"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], r"has not been built \(why\); reinstall fastnn-cpu with a C compiler$"),
        (["fastnn/kernels/native/native_failure.txt"], "^compiling the extension failed: no gcc$"),
        ([EXTENSION], r"cannot be loaded \(why\); reinstall fastnn-cpu with a C compiler$"),
        (["pyproject.toml"], r'has not been built \(why\); .* holds the sources: .* pip install -e "\.\[test\]" in '),
        (["pyproject.toml", "fastnn/kernels/native/native_failure.txt"], "^compiling the extension failed: no gcc$"),
        (["pyproject.toml", EXTENSION], r'cannot be loaded \(why\); .* pip install -e "\.\[test\]" in '),
        (["pyproject.toml", EXTENSION.replace(SUFFIX, ".cpython-39-other.so")], "has not been built"),
    ],
)
def test_why_native_is_missing(tmp_path, files, reason):
    package = tmp_path / "fastnn" / "kernels" / "native"
    package.mkdir(parents=True)
    for file in files:
        (tmp_path / file).write_text("compiling the extension failed: no gcc\n")
    found = kernels._why_native_is_missing(package, ImportError("why"))
    assert re.search(reason, found), found
    assert found.endswith(f" in {tmp_path}") == ("pip install" in found)


# ---- use


def test_use_nests_and_ends():
    fastnn.set_backend("numpy")
    with fastnn.use("numba"):
        assert name_now() == "numba"
        with fastnn.use("native", num_threads=1):
            assert (name_now(), kernels.num_threads()) == ("native", 1)
            with fastnn.use("numpy"):  # keeps the outer block's threads
                assert (name_now(), kernels.num_threads()) == ("numpy", 1)
            assert name_now() == "native"
        assert name_now() == "numba"
    assert name_now() == "numpy"


def test_use_ends_with_an_exception():
    with pytest.raises(KeyError), fastnn.use("numba"):
        raise KeyError
    assert name_now() == "native"


def test_use_belongs_to_its_thread():
    seen = {}

    def other():
        seen["before"] = name_now()
        with fastnn.use("numpy"):
            seen["inside"] = name_now()

    with fastnn.use("numba"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert name_now() == "numba"
    assert seen == {"before": "native", "inside": "numpy"}


def test_set_backend_reaches_other_threads_but_not_a_block():
    seen = []
    with fastnn.use("numba"):
        fastnn.set_backend("numpy")
        assert name_now() == "numba"
        thread = threading.Thread(target=lambda: seen.append(name_now()))
        thread.start()
        thread.join()
    assert seen == ["numpy"]
    assert name_now() == "numpy"


def test_a_model_runs_on_the_chosen_backend(monkeypatch):
    calls = []
    reference = fastnn.get_backend("numpy")
    original = reference.forward
    monkeypatch.setattr(reference, "forward", lambda *args: calls.append(1) or original(*args))
    model = fastnn.MLP([2, 2], seed=0)
    model.forward([[1, 2]])
    assert not calls
    with fastnn.use("numpy"):
        model.forward([[1, 2]])
    assert calls == [1]


# ---- threads


ALLOWED = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def test_threads_default_to_what_the_process_may_use():
    assert kernels.num_threads() == ALLOWED


def test_set_num_threads():
    fastnn.set_num_threads(1)
    assert kernels.num_threads() == 1
    fastnn.set_num_threads(10_000)
    assert kernels.num_threads() == ALLOWED
    fastnn.set_num_threads(np.int64(1))
    assert kernels.num_threads() == 1
    fastnn.set_num_threads(None)
    assert kernels.num_threads() == ALLOWED


@pytest.mark.parametrize(
    ("threads", "error"),
    [(0, InvalidArgumentError), (-1, InvalidArgumentError), (1.5, InvalidTypeError), (True, InvalidTypeError)],
)
@pytest.mark.parametrize("call", [fastnn.set_num_threads, lambda n: fastnn.use(num_threads=n).__enter__()])
def test_wrong_numbers_of_threads(call, threads, error):
    found = threads if error is InvalidArgumentError else type(threads).__name__
    with pytest.raises(error, match=f"num_threads: expected a positive integer.*, found {found}"):
        call(threads)
    assert kernels.num_threads() == ALLOWED


def test_threads_from_the_environment(monkeypatch):
    monkeypatch.setenv("FASTNN_NUM_THREADS", "1")
    assert kernels.num_threads() == 1
    monkeypatch.setenv("FASTNN_NUM_THREADS", "")
    assert kernels.num_threads() == ALLOWED
    monkeypatch.setenv("FASTNN_NUM_THREADS", "many")
    fastnn.set_num_threads(1)  # a limit set in the program comes first
    assert kernels.num_threads() == 1


@pytest.mark.parametrize("value", ["0", "-2", "many", "1.5"])
def test_a_wrong_number_in_the_environment_is_named(monkeypatch, value):
    monkeypatch.setenv("FASTNN_NUM_THREADS", value)
    with pytest.raises(InvalidArgumentError, match=f"FASTNN_NUM_THREADS: expected a positive integer, found '{value}'"):
        fastnn.MLP([784, 64, 2], seed=0).fit(np.ones((999, 784)), np.zeros(999, int), epochs=1)  # enough work to share


@pytest.mark.parametrize("inputs", ["bytes", "floats", "half zeros"])
def test_any_number_of_threads_gives_the_same_bits(monkeypatch, inputs):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (3001, 200)).astype(np.uint8) if inputs == "bytes" else rng.normal(size=(3001, 200))
    if inputs == "half zeros":
        X[1500:] *= rng.random((1501, 200)) < 0.1  # one thread's rows are sparse, the other's are not
    model = fastnn.MLP([200, 100, 3], seed=0)
    outputs = []
    for threads in (1, 2, 3, 4):
        monkeypatch.setattr(native.native, "num_threads", lambda threads=threads: threads)
        outputs.append(model.forward(X).tobytes())
    assert len(set(outputs)) == 1


# ---- FASTNN_SIMD


@pytest.mark.parametrize("value", ["bogus", "AVX2", "n\udce9"])
def test_an_instruction_set_that_cannot_be_had_is_an_error_of_its_variable(run_python, value):
    program = """
import warnings
warnings.simplefilter("error")
import fastnn
from fastnn import kernels
def attempt(function, *arguments):
    try:
        function(*arguments)
        print("no error")
    except fastnn.errors.InvalidArgumentError as error:
        print(ascii(str(error)))
attempt(fastnn.get_backend)
attempt(fastnn.get_backend, "native")
attempt(fastnn.set_backend, "auto")
attempt(fastnn.MLP([2, 2]).forward, [[1.0, 2.0]])
status = fastnn.backends()
print(status["native"].available, ascii(status["native"].detail))
print(status["numpy"].available, fastnn.get_backend("numpy").name)
"""
    child = run_python(program, FASTNN_SIMD=value)
    reason = ascii(f"FASTNN_SIMD: expected generic, avx2, avx512 or amx, as far as this CPU has it, found {value!r}")
    assert child.stderr == ""
    assert child.stdout.splitlines() == [reason] * 4 + [f"False {reason}", "True numpy"]


def test_a_wrong_number_of_threads_is_what_native_lacks(monkeypatch):
    monkeypatch.setenv("FASTNN_NUM_THREADS", "many")
    status = fastnn.backends()
    assert status["native"] == (False, "FASTNN_NUM_THREADS: expected a positive integer, found 'many'")
    assert status["numpy"].available
