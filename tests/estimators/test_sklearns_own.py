"""scikit-learn's own tests with fastnn's estimators in the place of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn

HELPERS = Path(__file__).parents[1] / "helpers"


@pytest.mark.parametrize(
    ("module", "least"),
    [("sklearn.neighbors.tests.test_neighbors", 1500), ("sklearn.neural_network.tests.test_mlp", 1000)],
)
def test_scikit_learns_own_tests_pass(tmp_path, module, least):
    """All that pass for scikit-learn; ``least`` is how many calls fastnn's kernels must have answered."""
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(tmp_path), "-q", "-W", "ignore"]
    paths = [str(HELPERS), str(Path(fastnn.__file__).parents[1])]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-p", "sklearn_swap", "--pyargs", module],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    assert int(re.search(r"fastnn answered (\d+) calls", done.stdout)[1]) >= least
