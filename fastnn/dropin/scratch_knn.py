"""The k-NN scripts' functions: :mod:`fastnn.dropin.scratch.neighbors` under its short name."""

import sys
from typing import TYPE_CHECKING

from .scratch import neighbors

if TYPE_CHECKING:
    from .scratch.neighbors import *  # noqa: F403  # type checkers see every name of the module

sys.modules[__name__] = neighbors  # one module under two names: what a program replaces in it counts
