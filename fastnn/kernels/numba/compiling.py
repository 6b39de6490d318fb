"""How the Numba kernels are compiled: on first use, cached on disk, and without the GIL while they run."""

from __future__ import annotations

from typing import Any

import numba
from numpy.typing import NDArray

_options: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
# A product and a sum may become one operation; NaN and infinity behave as in NumPy.
compiled: Any = numba.njit(**_options, fastmath={"contract"})
# A sum may also be taken in any order, without which a loop that sums to one number is not vectorised.
summing: Any = numba.njit(**_options, fastmath={"contract", "reassoc", "nsz"})
# The same where no number is NaN, without which the largest of many is not found by vectors.
finite: Any = numba.njit(**_options, fastmath={"contract", "reassoc", "nsz", "nnan"})


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that is read-only whether the array was or not, so that one form is compiled for both."""
    view = array.view()
    view.flags.writeable = False
    return view
