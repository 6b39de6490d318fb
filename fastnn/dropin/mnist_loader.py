"""The book's mnist_loader.py: :mod:`fastnn.dropin.nielsen.loader` under the original's name."""

import sys
from typing import TYPE_CHECKING

from .nielsen import loader

if TYPE_CHECKING:
    from .nielsen.loader import *  # noqa: F403  # type checkers see every name of the module

sys.modules[__name__] = loader  # one module under two names: what a program replaces in it counts
