"""The environment variables by which accel reaches a process and all of its children."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

from .startup.fastnn_accel_finder import HERE, SWITCH

VERBOSE = "FASTNN_ACCEL_VERBOSE"  # "1": log each call
CHECK = "FASTNN_ACCEL_CHECK"  # "1": run scikit-learn's own code on the same data, too, and compare
RECORDS = "FASTNN_ACCEL_RECORDS"  # the folders in which each process records its calls
PROFILE = "FASTNN_ACCEL_PROFILE"  # "1": write a table to stderr at the end
REPORT = "FASTNN_ACCEL_REPORT"  # the file for the report
NAMES = (SWITCH, VERBOSE, CHECK, RECORDS)


def switch_on(
    environment: MutableMapping[str, str], *, verbose: bool = False, check: bool = False, records: str | None = None
) -> None:
    """Have the processes that get this environment accelerated, besides what it asks for already.

    The folder ``records`` joins those of an accel around this one, whose report is to have these calls as well.
    """
    environment[SWITCH] = "1"
    path = environment.get("PYTHONPATH", "").split(os.pathsep) if environment.get("PYTHONPATH") else []
    if HERE not in path:
        environment["PYTHONPATH"] = os.pathsep.join([HERE, *path])
    if verbose:
        environment[VERBOSE] = "1"
    if check:
        environment[CHECK] = "1"
    if records is not None:
        environment[RECORDS] = os.pathsep.join(filter(None, [environment.get(RECORDS), records]))


def switch_off(environment: MutableMapping[str, str]) -> None:
    """Leave the processes that get this environment as they are without accel."""
    path = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry != HERE]
    if any(path):
        environment["PYTHONPATH"] = os.pathsep.join(path)
    else:
        environment.pop("PYTHONPATH", None)
    for name in NAMES:
        environment.pop(name, None)


def make_folder() -> str:
    """A new folder for records."""
    import tempfile  # only now, as most programs record nothing

    return tempfile.mkdtemp(prefix="fastnn-accel-")


def remove_folder(folder: str, process: int) -> None:
    """Remove the records, but not in a process that was forked from ``process``, whose they are."""
    import shutil  # which tempfile has imported

    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
