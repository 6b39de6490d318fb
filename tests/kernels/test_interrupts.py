"""What a signal's handler raises belongs to the call that it stops, whichever calls other threads are in."""

from __future__ import annotations

import pytest

COMMON = """
import signal, sys, threading
import numpy as np, fastnn
fastnn.set_backend(sys.argv[1])
rng = np.random.default_rng(0)
strays, over = [], threading.Event()

def work():
    model = fastnn.MLP([4, 3, 2], seed=0)
    X, y = rng.random((20, 4)), np.arange(20) % 2
    while not over.is_set():
        try:
            model.fit(X, y, epochs=1)
        except BaseException as error:
            strays.append(error)

others = [threading.Thread(target=work, daemon=True) for _ in range(4)]
signal.signal(signal.SIGALRM, signal.default_int_handler)

def interrupted(call):  # again and again until the signal comes
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        while True:
            call()
    except KeyboardInterrupt:
        return True

def finish():
    over.set()
    for thread in others:
        thread.join()
    print(len(strays))
"""


@pytest.mark.parametrize("name", ["native", "numpy"])
def test_a_search_that_is_stopped_says_so_beside_other_threads(run_python, name):
    program = (
        COMMON
        + """
X = rng.integers(0, 256, (20000, 256)).astype(np.uint8)
Q = rng.integers(0, 256, (4096, 256)).astype(np.uint8)
index = fastnn.Neighbors(pruning="never").fit(X)
for thread in others:
    thread.start()
expected, wrong = index.search(Q, 5), []

def search():
    wrong.extend(not (part == other).all() for part, other in zip(index.search(Q, 5), expected))

print(sum(interrupted(search) for _ in range(20)))
finish()
print(sum(wrong))
"""
    )
    child = run_python(program, name)
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() == ["20", "0", "0"]


@pytest.mark.parametrize("name", ["native", "numpy"])
@pytest.mark.parametrize("batch_size", [10, 20_000])
def test_so_does_a_training(run_python, name, batch_size):
    """In batches between which the kernel returns, and in one within which it is stopped."""
    program = (
        COMMON
        + """
X, y = rng.random((20_000, 200)), np.arange(20_000) % 3
model = fastnn.MLP([200, 300, 3], seed=0)
for thread in others:
    thread.start()
stopped = [interrupted(lambda: model.fit(X, y, epochs=1000, batch_size=int(sys.argv[2]))) for _ in range(5)]
print(sum(stopped))
finish()
print(np.isfinite(model.params).all())
"""
    )
    child = run_python(program, name, str(batch_size))
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() == ["5", "0", "True"]


def test_a_gradient_that_is_stopped_says_so(run_python):
    program = (
        COMMON
        + """
from fastnn.kernels.params import aligned_zeros
from fastnn.kernels.spec import Data
X, y = rng.random((60_000, 200)), (np.arange(60_000) % 3).astype(np.int32)
model = fastnn.MLP([200, 600, 3], dtype="float64", seed=0)
grad = aligned_zeros(model.params.size, model.dtype)
for thread in others:
    thread.start()
kernels = fastnn.get_backend()
gradient = lambda: kernels.loss_grad(model.net, model.params, Data(X, 1.0, y), grad)
print(sum(interrupted(gradient) for _ in range(5)))
finish()
"""
    )
    child = run_python(program, "native")
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() == ["5", "0"]
