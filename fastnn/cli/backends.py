"""``fastnn backends``: list the backends, and why one cannot run here."""

from __future__ import annotations

import argparse

from .. import kernels
from .output import print_json


def run(arguments: argparse.Namespace) -> int:
    """List the backends and, for one that is missing, why."""
    found = kernels.backends()
    if arguments.json:
        print_json(**{name: status._asdict() for name, status in found.items()})
        return 0
    for name, (available, detail) in found.items():
        print(f"{name:8}{'available' if available else 'missing':11}{detail}")
    return 0
