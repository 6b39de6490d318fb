"""``fastnn backends``: list the backends, and why one cannot run here."""

from __future__ import annotations

import argparse

from .. import kernels
from .output import print_json
from .terminal import GREEN, RED, hanging_indent, paint, width


def run(arguments: argparse.Namespace) -> int:
    """List the backends and, for one that is missing, why."""
    found = kernels.backends()
    if arguments.json:
        print_json(**{name: status._asdict() for name, status in found.items()})
        return 0
    for name, (available, detail) in found.items():
        word, colour = ("available", GREEN) if available else ("missing", RED)
        line = hanging_indent(f"{name:8}{word:11}", detail, width())
        print(line.replace(word, paint(word, colour), 1))
    return 0
