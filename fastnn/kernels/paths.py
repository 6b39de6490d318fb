"""The words and files for every choice that native's plan makes; docs/kernels.md and ``explain`` are written from them.

The keys are the plan's own names, those of plan_train.c and plan_search.c, which a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .spec import SearchPlan, TrainPlan


@dataclass(frozen=True, repr=False)
class Explanation:
    """What will run: as text, which ``str`` and ``repr`` give, and as the plan, None where the backend makes none."""

    text: str
    plan: TrainPlan | SearchPlan | None

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def threads_line(threads: int, shared: str) -> str:
    """What an explanation says of the threads of a plan, which share out ``shared``."""
    if threads == 1:
        return "Threads: one; there is too little to do for a second, or only one may be used."
    return f"Threads: {threads}, which share out {shared}."


class Choice(NamedTuple):
    """One choice of a plan: what it does, in a clause that ends without a full stop, and the files that do it."""

    words: str
    files: tuple[str, ...] = ()  # below fastnn/kernels/native/src; what multiplies comes first

    def text(self) -> str:
        return f"{self.words} ({', '.join(self.files)})" if self.files else self.words


Choices = Mapping[str, Choice]

REGIMES: Choices = {
    "online blocks": Choice(
        "one product of a block of samples with W0, and its Gram matrix, stand for a pass over W0 at every update",
        ("train/online.h",),
    ),
    "short batches": Choice("one forward and backward pass a batch, all its samples together", ("train/epoch.h",)),
    "long batches": Choice(
        "blocks of samples whose gradients are added up before the update", ("train/epoch.h", "train/gradient.h")
    ),
    "blocks": Choice("blocks of samples, without an update", ("train/gradient.h", "train/outputs.h")),
}
INPUTS: Choices = {
    "dense": Choice("all of them, where they lie, in register tiles", ("gemm/tiles.h",)),
    "block-CSC": Choice(
        "for each block of four inputs the samples that have it other than zero, made anew for each block of samples",
        ("gemm/block_csc_gemm.h", "gemm/block_csc.h"),
    ),
    "stored block-CSC": Choice(
        "block-CSC that is made once, as every epoch has the same batches",
        ("gemm/block_csc_gemm.h", "gemm/stored_block_csc.h"),
    ),
    "micro-batches": Choice(
        "four samples at a time, by one index of the inputs that any of them has other than zero",
        ("gemm/micro_batch.h",),
    ),
    "online micro-batches": Choice(
        "twelve samples at a time, by one such index, their values packed side by side",
        ("gemm/tiles.h", "gemm/online_micro_batch.h"),
    ),
    "CSR": Choice("each sample's nonzeros, as the caller has them in compressed sparse rows", ("gemm/csr.h",)),
}
OFFSETS: Choices = {
    "none": Choice("as they are"),
    "column offset": Choice(
        "less each input's most frequent value, so that what all samples share costs nothing", ("train/forward.h",)
    ),
    "constant offset": Choice(
        "of a single row, less the value of its first and last input, whose part comes from the sums of W0's rows",
        ("train/forward.h",),
    ),
}
SPLITS: Choices = {
    "nothing": Choice("nothing"),
    "inputs": Choice("the first layer's inputs (K), whose partial sums of z are added in a fixed order"),
    "outputs": Choice("the first layer's outputs (N), and the next layer's inputs behind them"),
    "samples": Choice("each batch's samples, whose gradients are added in a fixed order"),
}
WEIGHTS: Choices = {
    "in place": Choice("where the model has it"),
    "packed panels": Choice("in panels as wide as a register tile, each in one piece", ("train/local_panels.h",)),
    "thread-local": Choice("each thread's columns in memory of its own", ("train/local_panels.h",)),
    "thread-local panels": Choice("each thread's columns in panels of its own", ("train/local_panels.h",)),
}
UPDATES: Choices = {
    "none": Choice("none"),
    "fused SGD": Choice(
        "the sum of the gradient goes on from the weights; no gradient is written",
        ("train/backward.h", "train/update.h"),
    ),
    "fused optimizer": Choice("piece by piece, each while its gradient is in the nearest cache", ("train/update.h",)),
    "reduce then apply": Choice("once the parts' gradients are added up", ("train/update.h",)),
    "deferred": Choice(
        "as fused SGD, with the column offset's rank-1 update put off over several blocks",
        ("train/backward.h", "train/update.h"),
    ),
    "lazy optimizer": Choice(
        "as fused, but the updates of an input without a nonzero wait until it has one",
        ("train/lazy.h", "train/update.h"),
    ),
    "added to the gradient": Choice("none: the gradient is the result", ("train/backward.h",)),
}
SCANS: Choices = {
    "codes": Choice(
        "products of short codes bound each distance from below, and what these leave is computed", ("search/scan.h",)
    ),
    "bytes": Choice("exact integer products of the bytes", ("search/scan.h",)),
    "reals": Choice(
        "floating-point products or differences, with a margin for their rounding",
        ("search/real_tiles.h", "search/scan.h"),
    ),
    "pairs": Choice(
        "every pair by itself, as one instruction sums the differences of 64 bytes",
        ("search/metrics.h", "search/scan.h"),
    ),
    "seeds": Choice("as codes, of some rows, for those whose codes are nearest", ("search/scan.h",)),
}
QUERIES: Choices = {
    "alone": Choice("a single query, without packing rows"),
    "tiles": Choice("as many queries as a register tile holds"),
    "micro-batches": Choice(
        "four that are zero in about the same places, skipping what is zero in all of them", ("search/query_block.h",)
    ),
}
DOTS: Choices = {
    "madd": Choice("bytes widened to 16 bits (pmaddwd)", ("search/byte_tiles.h", "simd/int8_dot.h")),
    "vnni": Choice("bytes, four products a lane (vpdpbusd)", ("search/byte_tiles.h", "simd/int8_dot.h")),
    "amx": Choice("bytes in a matrix unit, 16 queries by 16 rows", ("search/amx.h",)),
}
