"""The command ``fastnn``."""

from .arguments import main

__all__ = ["main"]
