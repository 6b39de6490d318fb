"""The variant of :mod:`fastnn.dropin.scratch` for the mean squared error: a linear output, and inputs from -1 to 1.

    from fastnn.dropin.scratch_mse import fit, predict, read_pic, set_randon_seed

``fit`` takes pixels 0..255 and scales them to -1..1 itself. ``predict`` takes inputs as they are, so that its caller
scales them: ``predict(2 * np.array(test) / 255 - 1, w1, b1, w2, b2)``.
"""

from __future__ import annotations

from . import scratch
from .scratch import (
    active_relu,
    conver2one_hot,
    forget,
    get_gradient,
    knn,
    knn_batch,
    pt_image,
    read_pic,
    set_random_seed,
    set_randon_seed,
    softmax,
)
from .scratch import fit_mse as fit
from .scratch import predict_mse as predict

__all__ = [
    "LENGTH",
    "PIXEL",
    "WIDTH",
    "active_relu",
    "conver2one_hot",
    "fit",
    "forget",
    "get_gradient",
    "knn",
    "knn_batch",
    "predict",
    "pt_image",
    "read_pic",
    "set_random_seed",
    "set_randon_seed",
    "softmax",
]


PIXEL: int
WIDTH: int
LENGTH: int


def __getattr__(name: str) -> int:
    """PIXEL, WIDTH and LENGTH are those of :mod:`.scratch`, where ``read_pic`` sets them."""
    if name in ("LENGTH", "PIXEL", "WIDTH"):
        return int(getattr(scratch, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
