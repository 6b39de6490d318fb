"""The command ``fastnn``."""

from .command import main

__all__ = ["main"]
