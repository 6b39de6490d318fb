"""Learning-rate schedules: :mod:`fastnn.nn.schedules` under its short name."""

import sys
from typing import TYPE_CHECKING

from .nn import schedules

if TYPE_CHECKING:
    from .nn.schedules import *  # noqa: F403  # type checkers see every name of the module

sys.modules[__name__] = schedules  # one module under two names: what a program replaces in it counts
