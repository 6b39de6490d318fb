"""The compiled kernels, Cython and C; ImportError where they were not built."""

from ..spec import Capabilities
from .native import (
    activate,
    block_csc,
    describe,
    encode,
    force_form,
    force_queries,
    force_split,
    force_threads,
    forward,
    layer_grad,
    loss_grad,
    neighbors,
    pack_pairs,
    pack_rows,
    parse_fields,
    plan_search,
    simd,
    train_epoch,
)

__all__ = [
    "activate",
    "capabilities",
    "describe",
    "force_form",
    "force_queries",
    "force_split",
    "force_threads",
    "forward",
    "layer_grad",
    "loss_grad",
    "name",
    "neighbors",
    "parse_fields",
    "plan_search",
    "simd",
    "train_epoch",
]

name = "native"
capabilities = Capabilities(pack_rows, pack_pairs, block_csc, encode, matrix_unit=simd == "amx")
