"""Training with interrupts, forks and threads."""

from __future__ import annotations

import os
import threading

import pytest
from problems import make_mlp as make

import fastnn


def test_ctrl_c_in_a_long_epoch_leaves_a_usable_model(run_python):
    """The signal comes as soon as the epoch, of some tens of seconds, has changed a weight."""
    program = """
import signal, threading, time
import numpy as np, fastnn
X = np.random.default_rng(0).integers(1, 256, (400_000, 64)).astype(np.uint8)
y = np.zeros(len(X), int)
model = fastnn.MLP([64, 1024, 10], seed=0)
fastnn.set_backend("native")
before, epochs = model.params.copy(), []

def interrupt():
    while (model.params == before).all():
        time.sleep(0.01)
    signal.raise_signal(signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
    model.fit(X, y, epochs=2, batch_size=10, callbacks=[lambda *_: epochs.append(1)])
except KeyboardInterrupt:
    print("interrupted", len(epochs), np.isfinite(model.params).all())
model.fit(X[:100], y[:100], epochs=1)
print(model.score(X[:100], y[:100]))
"""
    child = run_python(program)
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines() == ["interrupted 0 True", "1.0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forked_children_train_with_threads_too(run_python):
    """The parent has run threads, as the list of its tasks shows, and goes on between its 50 children."""
    program = """
import os, signal, threading
import numpy as np, fastnn
os.sched_getaffinity = lambda _: set(range(4))
fastnn.set_backend("native")
X = np.random.default_rng(0).integers(0, 256, (640, 784)).astype(np.uint8)
y = np.arange(len(X)) % 10

def fitted():
    model = fastnn.MLP([784, 128, 10], seed=0)
    model.fit(X, y, epochs=1, batch_size=64)
    return model

def result():
    model = fitted()
    return model.params.tobytes() + model.forward(X).tobytes()

def watch(tasks):
    while len(os.listdir("/proc/self/task")) == tasks:
        pass

expected = result()
if os.path.exists("/proc/self/task"):
    watcher = threading.Thread(target=watch, args=[1 + len(os.listdir("/proc/self/task"))])
    watcher.start()
    while watcher.is_alive():
        fitted()
for _ in range(50):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # rather than hang
    same = result() == expected
    if child == 0:
        os._exit(0 if same else 1)
    assert same
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    child = run_python(program)
    assert child.returncode == 0, child.stderr


def test_threads_may_train_their_own_models(backend, data):
    models = [make() for _ in range(4)]
    expected = make()
    expected.fit(*data, epochs=30, batch_size=3)

    def work(model):
        with fastnn.use(backend.name):
            model.fit(*data, epochs=30, batch_size=3)

    threads = [threading.Thread(target=work, args=[model]) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((model.params == expected.params).all() for model in models)
