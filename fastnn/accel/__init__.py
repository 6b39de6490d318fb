"""Run a program that uses scikit-learn on fastnn's kernels without a change to it.

    python -m fastnn.accel script.py arguments     # also -m module, -c command; see --help
    %load_ext fastnn.accel                         # in a notebook

or, before or after scikit-learn is imported, :func:`install`. The five classes that :mod:`fastnn.estimators` has then
compute with fastnn wherever a program uses them, under their own names and with the same numbers; child processes do
the same. docs/accel.md has the rest.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
from typing import Any

from .environment import make_folder, remove_folder, switch_off, switch_on
from .startup.fastnn_accel_finder import LIBRARIES, unwatch, watch

__all__ = ["install", "load_ipython_extension", "report", "uninstall", "unload_ipython_extension"]

_folder: str | None = None  # where this process and its children record their calls


def install(*, verbose: bool = False, check: bool = False) -> None:
    """Let the classes of scikit-learn compute with fastnn, in this process and in those that it starts from now on.

    Parameters
    ----------
    verbose : say on stderr, for each call, whether it was accelerated and, if not, why.
    check : run each accelerated call with scikit-learn's own code too, and record how they compare.

    Raises BackendError if there are no compiled kernels here.
    """
    global _folder
    for library in [library for library in LIBRARIES if library in sys.modules]:
        _exchange(library)
    watch(_exchange)
    records = None
    if _folder is None:
        records = _folder = make_folder()
        atexit.register(remove_folder, _folder, os.getpid())
    switch_on(os.environ, verbose=verbose, check=check, records=records)


def uninstall() -> None:
    """Give scikit-learn's classes back, whoever exchanged them; children from now on are left alone, too."""
    global _folder
    unwatch()
    switch_off(os.environ)
    if f"{__name__}.classes" in sys.modules:
        importlib.import_module(".classes", __name__).restore()
    if _folder is not None:
        remove_folder(_folder, os.getpid())
        _folder = None


def report() -> list[dict[str, Any]]:
    """What was called since :func:`install`, in this process and in its children, added up.

    Each dict has estimator, method, accelerated, reason (why not), seconds and calls, and what ``check=True`` found.
    """
    from . import rows  # which needs json

    if _folder is None:
        return []
    found = rows.total(rows.read(_folder))
    return rows.as_objects(found, checked=any(row.sklearn_seconds is not None or row.problem for row in found))


def load_ipython_extension(_shell: Any) -> None:
    """What ``%load_ext fastnn.accel`` calls."""
    install()


def unload_ipython_extension(_shell: Any) -> None:
    """What ``%unload_ext fastnn.accel`` calls."""
    uninstall()


def _exchange(library: str) -> None:
    importlib.import_module(".classes", __name__).exchange(library)  # only now, as it imports the estimators
