from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..spec import (
    BlockCSC,
    Codes,
    Data,
    EpochArgs,
    EpochResult,
    FloatArray,
    Grid,
    IntArray,
    LayerGrads,
    Net,
    Rows,
    Rule,
    SearchPlan,
    Tick,
    TrainPlan,
)

simd: str

def describe() -> str: ...
def most_threads() -> int: ...
def forward(net: Net, params: FloatArray, X: Rows, scale: float, out: FloatArray) -> bool: ...
def loss_grad(net: Net, params: FloatArray, data: Data, grad: FloatArray) -> float: ...
def layer_grad(
    net: Net,
    params: FloatArray,
    X: NDArray[Any],
    scale: float,
    outputs: FloatArray,
    output_grad: FloatArray,
    grads: LayerGrads,
) -> None: ...
def train_epoch(
    net: Net,
    params: FloatArray,
    state: FloatArray,
    data: Data,
    epoch: EpochArgs,
    tick: Tick | None = None,
) -> EpochResult: ...
def neighbors(
    metric: int,
    X: NDArray[Any],
    Q: NDArray[Any],
    codes: Codes | None,
    limit: float,
    values: NDArray[np.float64],
    indices: IntArray,
) -> None: ...
def plan_search(
    metric: str,
    rows: int,
    queries: int,
    columns: int,
    k: int,
    dtype: DTypeLike,
    *,
    code_width: int = 0,
    finer_codes: int = 0,
    most_verified: float = ...,
    threads: int | None = None,
    simd: str | None = None,
    dot: str | None = None,
) -> SearchPlan: ...
def prepare(rows: NDArray[Any], to_unit: bool, mean: FloatArray, v: FloatArray) -> None: ...
def encode(
    rows: NDArray[Any],
    projected: FloatArray,
    grid: Grid,
    codes: NDArray[np.uint8],
    finer: NDArray[np.uint8],
    errors: NDArray[np.float32],
) -> None: ...
def pack_rows(X: FloatArray) -> tuple[NDArray[np.uint8], float] | None: ...
def whole_bytes(X: FloatArray) -> NDArray[np.uint8] | None: ...
def block_csc(X: NDArray[Any], scale: float, batch_size: int) -> BlockCSC | None: ...
def prepare_rows(
    X: NDArray[Any], scale: float, outputs: int, epochs: int, batch_size: int
) -> tuple[NDArray[Any], float, BlockCSC | None]: ...
def parse_fields(text: bytes, columns: int) -> NDArray[np.uint8] | None: ...
def pack_pairs(
    pairs: list[Any], inputs: int, outputs: int
) -> tuple[NDArray[np.uint8], float, NDArray[np.float64], IntArray] | None: ...
def activate(activation: str, x: FloatArray, out: FloatArray) -> None: ...
def override_plan(
    *,
    inputs: Literal["dense", "block-CSC", "micro-batches"] | None = ...,
    split: Literal["inputs", "outputs"] | None = ...,
    queries: Literal["tiles", "micro-batches"] | None = ...,
    all_threads: bool | None = ...,
    rows: Literal["as they are", "bytes", "block-CSC"] | None = ...,
) -> None: ...
def plan_training(
    net: Net,
    X: Rows | tuple[int, DTypeLike],
    *,
    purpose: Literal["training", "gradient", "outputs", "layer gradient"] = "training",
    dtype: DTypeLike | None = None,
    batch_size: int | None = None,
    rule: Rule | None = None,
    order: IntArray | None = None,
    block_csc: bool = False,
    threads: int | None = None,
    simd: Literal["generic", "avx2", "avx512", "amx"] | None = None,
    density: float | None = None,
    offset_density: float | None = None,
    nonzeros: float | None = None,
) -> TrainPlan: ...
