"""scikit-learn's own tests with fastnn's estimators in the place of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import fastnn

HELPERS = Path(__file__).parents[1] / "helpers"


def begin(folder: Path, module: str, *options: str) -> subprocess.Popen[str]:
    """Run the tests of a module of scikit-learn's in a folder of their own, which is to have their outcomes."""
    folder.mkdir()
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(folder), "-q", "-W", "ignore"]
    paths = [str(HELPERS), str(Path(fastnn.__file__).parents[1])]
    return subprocess.Popen(
        [*command, "-p", "no:cacheprovider", *options, "--junitxml", "outcomes.xml", "--pyargs", module],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_ADDOPTS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcomes(folder: Path) -> dict[tuple[str, str], list[str]]:
    """Of each test that ran: nothing if it passed, or what else became of it, as skipped."""
    cases = ElementTree.parse(folder / "outcomes.xml").iter("testcase")
    return {(case.attrib["classname"], case.attrib["name"]): [child.tag for child in case] for case in cases}


@pytest.mark.parametrize(
    ("module", "least"),
    [("sklearn.neighbors.tests.test_neighbors", 1500), ("sklearn.neural_network.tests.test_mlp", 1000)],
)
def test_scikit_learns_own_tests_pass(tmp_path, module, least):
    """All that pass for scikit-learn, and none is skipped that runs there.

    ``least`` is how many calls fastnn's kernels must have answered.
    """
    runs = begin(tmp_path / "ours", module, "-p", "sklearn_swap"), begin(tmp_path / "theirs", module)
    printed, _ = [run.communicate()[0] for run in runs]
    assert runs[0].returncode == 0, printed[-5000:]
    assert outcomes(tmp_path / "ours") == outcomes(tmp_path / "theirs") != {}
    assert int(re.search(r"fastnn answered (\d+) calls", printed)[1]) >= least
