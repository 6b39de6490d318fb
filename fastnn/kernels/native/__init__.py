"""The compiled kernels, Cython and C; ImportError where they were not built."""

from ..spec import Capabilities
from .native import (
    activate,
    block_csc,
    describe,
    encode,
    forward,
    layer_grad,
    loss_grad,
    most_threads,
    neighbors,
    override_plan,
    pack_pairs,
    pack_rows,
    parse_fields,
    plan_search,
    plan_training,
    prepare,
    prepare_rows,
    simd,
    train_epoch,
    whole_bytes,
)

__all__ = [
    "activate",
    "block_csc",
    "capabilities",
    "describe",
    "forward",
    "layer_grad",
    "loss_grad",
    "most_threads",
    "name",
    "neighbors",
    "override_plan",
    "pack_rows",
    "parse_fields",
    "plan_search",
    "plan_training",
    "prepare",
    "prepare_rows",
    "simd",
    "train_epoch",
    "whole_bytes",
]

name = "native"
capabilities = Capabilities(
    prepare_rows,
    pack_pairs,
    prepare,
    encode,
    whole_bytes,
    matrix_unit=simd == "amx",
    plan_training=plan_training,
    plan_search=plan_search,
    vector_bytes={"generic": 16, "avx2": 32}.get(simd, 64),
)
