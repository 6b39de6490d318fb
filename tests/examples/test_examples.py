"""Each script of examples/ runs; those for scikit-learn print the same and draw the same under accel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn

FOLDER = Path(__file__).parents[2] / "examples"
# For scikit-learn's examples: arguments that keep them short, and whether what they draw depends on the clock.
SMALL = {
    "sklearn_iris.py": (["--grid", "100"], False),
    "sklearn_best_k.py": (["--mnist", "mnist.npz", "--rows", "1500", "--most", "5", "--folds", "3"], False),
    "sklearn_sizes_and_rates.py": (["mnist.npz", "--sizes", "50", "100", "--epochs", "2", "--rows", "1000"], True),
}
ACCEL = ("-m", "fastnn.accel", "--report", "report.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a short mnist.npz, which is laid out as Keras' own."""
    folder = tmp_path_factory.mktemp("examples")
    (X, y), (X_test, y_test) = fastnn.datasets.load_mnist()
    np.savez(folder / "mnist.npz", x_train=X[:1500], y_train=y[:1500], x_test=X_test[:500], y_test=y_test[:500])
    return folder


def run(folder, *words):
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FASTNN_")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**inherited, "PYTHONPATH": path, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_example_for_scikit_learn_is_here():
    assert {path.name for path in FOLDER.glob("sklearn_*.py")} == {*SMALL}


@pytest.mark.parametrize("script", SMALL)
def test_the_same_text_and_picture_with_and_without_accel(folder, script):
    words, draws_times = SMALL[script]
    program = str(FOLDER / script), *words, "--out"
    plain, accel = run(folder, *program, "plain.png"), run(folder, *ACCEL, *program, "accel.png")
    assert plain.returncode == accel.returncode == 0, plain.stderr + accel.stderr
    assert plain.stdout == accel.stdout
    assert len(plain.stdout.splitlines()) > 3
    pictures = [(folder / name).read_bytes() for name in ("plain.png", "accel.png")]
    assert pictures[0].startswith(b"\x89PNG")
    assert draws_times or pictures[0] == pictures[1]
    if script != "sklearn_iris.py":  # whose rows are too few for fastnn
        assert '"accelerated": true' in (folder / "report.json").read_text()
