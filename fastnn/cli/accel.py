"""``fastnn accel``: ``python -m fastnn.accel`` under another name."""

from __future__ import annotations

import argparse

from ..accel import runner


def run(arguments: argparse.Namespace) -> int:
    """Replace this process by Python with the program; returns only if that cannot be."""
    return runner.main(arguments.words)
