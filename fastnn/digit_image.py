"""Pictures of digits: :mod:`fastnn.io.digit_image` under its short name."""

import sys
from typing import TYPE_CHECKING

from .io import digit_image

if TYPE_CHECKING:
    from .io.digit_image import *  # noqa: F403  # type checkers see every name of the module

sys.modules[__name__] = digit_image  # one module under two names: what a program replaces in it counts
