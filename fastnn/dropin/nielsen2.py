"""The book's network2.py: :mod:`fastnn.dropin.nielsen.network2` under its short name."""

import sys
from typing import TYPE_CHECKING

from .nielsen import network2

if TYPE_CHECKING:
    from .nielsen.network2 import *  # noqa: F403  # type checkers see every name of the module

sys.modules[__name__] = network2  # one module under two names: what a program replaces in it counts
