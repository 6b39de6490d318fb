"""What the installed distribution says of itself: its name, its requirements, its version."""

from __future__ import annotations

import importlib.metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fastnn

ALL = {"dask", "fastnn-cpu", "h5py", "matplotlib", "numba", "numpy", "pillow", "scikit-learn"}
TEST = {"hypothesis", "ipython", "mpmath", "pandas", "pytest", "pytest-xdist", "safetensors", "tqdm"}


def required_by(extra: str) -> set[str]:
    """The names of all distributions that ``pip install fastnn-cpu[extra]`` asks for, those of its own extras too."""
    found, extras, seen = set(), [extra], set()
    requirements = [Requirement(line) for line in importlib.metadata.requires("fastnn-cpu") or []]
    while extras:
        extra = extras.pop()
        seen.add(extra)
        for requirement in requirements:
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                found.add(canonicalize_name(requirement.name))
                extras += requirement.extras - seen
    return found


@pytest.mark.quick
def test_no_extra_asks_for_the_other_project_of_that_name():
    assert required_by("") == {"numpy"}
    assert required_by("all") == ALL
    assert required_by("test") == ALL | TEST
    assert required_by("bench") == {"asv", "fastnn-cpu", "numba", "numpy", "scikit-learn", "virtualenv"}
    names = {canonicalize_name(Requirement(line).name) for line in importlib.metadata.requires("fastnn-cpu")}
    assert "fastnn" not in names


def test_the_distribution_is_of_this_version():
    assert importlib.metadata.version("fastnn-cpu") == fastnn.__version__
