"""Native calls compute in the caller's float environment, but for subnormals, and leave its control bits as they were.

These are the rounding mode, what becomes of subnormals, and which exceptions trap: MXCSR on x86-64, FPCR on aarch64.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import problems
import pytest

import fastnn
from fastnn.kernels import native
from fastnn.kernels.params import aligned_zeros
from fastnn.kernels.spec import Data, EpochArgs, layout

LIBC = ctypes.CDLL("ucrtbase" if os.name == "nt" else None)
SETTINGS = {  # of the control bits: those to set and those to clear
    "x86_64": {
        "as it is": (0, 0),
        "rounding up": (0x4000, 0),
        "rounding to zero, subnormals flushed": (0xE040, 0),
        "subnormal operands taken as zeros, or else trapping": (0x40, 0x100),
    },
    "aarch64": {
        "as it is": (0, 0),
        "rounding up": (0x400000, 0),
        "rounding to zero, subnormals flushed": (0x1C00000, 0),
    },
}.get(platform.machine() if sys.platform == "linux" else "")
WORD, CONTROL = (7, 0xFFC0) if platform.machine() == "x86_64" else (0, 0x7C00000)  # where fenv_t of Linux has them


def environment():
    """The control bits; the rounding mode alone where the layout of fenv_t is not known."""
    if SETTINGS is None:
        return LIBC.fegetround()
    words = (ctypes.c_uint32 * 64)()
    assert LIBC.fegetenv(words) == 0
    return words[WORD] & CONTROL


@contextmanager
def changed(bits):
    """Set and clear bits of this thread's environment for the block, which should do little else than call native."""
    before, words = (ctypes.c_uint32 * 64)(), (ctypes.c_uint32 * 64)()
    assert LIBC.fegetenv(before) == LIBC.fegetenv(words) == 0
    words[WORD] = words[WORD] & ~bits[1] | bits[0]
    LIBC.fesetenv(words)
    try:
        yield
    finally:
        LIBC.fesetenv(before)


@pytest.fixture(scope="module", params=["float32", "float64"])
def problem(request):
    """Enough work for threads, a longer batch than a block, and values for every activation."""
    net = ((784, 64, 24, 10), ("sigmoid", "tanh", "softmax"), "cross_entropy")
    return problems.make(*net, dtype=request.param, inputs="bytes", rows=600)


def forward(problem):
    out = problem.output()
    native.forward(problem.net, problem.params, problem.X, problem.scale, out)
    return out


def loss_grad(problem):
    grad = problems.copied(problem.params)
    native.loss_grad(problem.net, problem.params, problem.data, grad)
    return grad


def train(optimizer, batch):
    rule, order = problems.rule(optimizer), np.arange(600)
    return lambda problem: problems.train(native, problem, order, batch, rule)[1]


def train_online(problem):
    native.override_plan(inputs="dense")  # sparse samples go one by one
    try:
        return train("sgd", 1)(problem)
    finally:
        native.override_plan(inputs=None)


def activate(problem):
    x, out = problem.params, problems.copied(problem.params)
    native.activate("sigmoid", x, out)
    return out


CALLS = {
    "forward": forward,
    "loss_grad": loss_grad,
    "train online": train_online,
    "train": train("adam", 50),
    "train by blocks": train("momentum", 300),
    "activate": activate,
}


def run(call, problem, bits, threads=1):
    """The call's result, and the environment before, within and after it."""
    seen = [environment()]
    with fastnn.use("native", num_threads=threads), changed(bits):
        seen.append(environment())
        result = call(problem)
        seen.append(environment())
    seen.append(environment())
    return result.tobytes(), seen


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("setting", SETTINGS or ["as it is"])
@pytest.mark.parametrize("call", CALLS)
def test_the_environment_is_left_as_found(many_cores, problem, call, setting, threads):
    bits = SETTINGS[setting] if SETTINGS else (0, 0)
    _, (before, within, after, restored) = run(CALLS[call], problem, bits, threads)
    assert within == before & ~bits[1] | bits[0]
    assert after == within
    assert restored == before


@pytest.mark.skipif(SETTINGS is None, reason="needs a known layout of fenv_t")
@pytest.mark.parametrize("call", CALLS)
def test_all_threads_compute_in_the_callers_environment(many_cores, problem, call):
    """Which also shows that the settings reach the arithmetic: rounded up, the results differ."""
    bits = SETTINGS["rounding up"]
    nearest, upward = run(CALLS[call], problem, (0, 0))[0], run(CALLS[call], problem, bits)[0]
    assert upward != nearest
    for threads in (2, 3, 4):
        assert run(CALLS[call], problem, bits, threads)[0] == upward


@pytest.mark.skipif(SETTINGS is None, reason="needs a known layout of fenv_t")
def test_every_caller_has_an_environment_of_its_own(many_cores, problem):
    settings = list(SETTINGS.values()) * 4
    expected = [run(CALLS["train"], problem, bits)[0] for bits in settings]
    with ThreadPoolExecutor(len(settings)) as pool:
        found = list(pool.map(lambda bits: run(CALLS["train"], problem, bits, 2), settings))
    assert [result for result, _ in found] == expected
    for bits, (_, (before, within, after, restored)) in zip(settings, found, strict=True):
        assert after == within == before & ~bits[1] | bits[0]
        assert restored == before


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a signal that comes while the kernel works")
@pytest.mark.parametrize("setting", SETTINGS or ["as it is"])
def test_handlers_of_signals_within_a_long_batch_run_in_the_callers_environment(setting):
    X = np.ones((20_000, 784), np.uint8)
    net, count = layout((784, 500, 10), ("relu", "softmax"), "cross_entropy", True, np.dtype(np.float64))
    params, state, seen = aligned_zeros(count, np.dtype(np.float64)), np.empty((0, count)), []
    previous = signal.signal(signal.SIGALRM, lambda number, frame: seen.append(environment()))
    try:
        with fastnn.use("native", num_threads=1), changed(SETTINGS[setting] if SETTINGS else (0, 0)):
            expected = environment()
            while not seen:  # a batch may end before the signal comes
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                data = Data(X, 1.0, np.zeros(len(X), np.int32))
                epoch = EpochArgs(np.arange(len(X)), len(X), problems.rule("sgd"))
                native.train_epoch(net, params, state, data, epoch)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert set(seen) == {expected}


@pytest.mark.skipif(SETTINGS is None, reason="elsewhere subnormals are not flushed")
@pytest.mark.parametrize("batch", [2, 50, 300])
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_training_takes_subnormals_for_zeros(problem, optimizer, batch):
    """Those of inputs that are never active, whose gradient is zero."""
    X, rule = problem.X.copy(), problems.rule(optimizer)
    X[:, :16] = 0
    params, state = problems.copied(problem.params), problem.state(rule)
    state[0] = np.finfo(params.dtype).tiny
    data, epoch = Data(X, problem.scale, problem.y), EpochArgs(np.arange(600), batch, rule)
    native.train_epoch(problem.net, params, state, data, epoch)
    first = problem.net.weights[0]
    assert (state[0, first : first + 16 * problem.net.strides[0]] == 0).all()
