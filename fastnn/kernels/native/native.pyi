from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..spec import BlockCSC, Codes, Data, EpochArgs, EpochResult, FloatArray, Grid, IntArray, Net, SearchPlan, Tick

simd: str

def describe() -> str: ...
def forward(net: Net, params: FloatArray, X: NDArray[Any], scale: float, out: FloatArray) -> bool: ...
def loss_grad(
    net: Net, params: FloatArray, X: NDArray[Any], scale: float, y: NDArray[Any], grad: FloatArray
) -> float: ...
def layer_grad(
    net: Net,
    params: FloatArray,
    X: NDArray[Any],
    scale: float,
    outputs: FloatArray,
    output_grad: FloatArray,
    grad: FloatArray,
    input_grad: FloatArray,
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
    finer_width: int = 0,
    most_verified: float = ...,
    threads: int | None = None,
    simd: str | None = None,
    dot: str | None = None,
) -> SearchPlan: ...
def encode(
    rows: NDArray[Any],
    projected: FloatArray,
    grid: Grid,
    codes: NDArray[np.uint8],
    finer: NDArray[np.uint8],
    errors: NDArray[np.float32],
) -> None: ...
def pack_rows(X: FloatArray) -> tuple[NDArray[np.uint8], float] | None: ...
def block_csc(X: NDArray[Any], scale: float, batch_size: int) -> BlockCSC | None: ...
def parse_fields(text: bytes, columns: int) -> NDArray[np.uint8] | None: ...
def pack_pairs(
    pairs: list[Any], inputs: int, outputs: int
) -> tuple[NDArray[np.uint8], float, NDArray[np.float64], IntArray] | None: ...
def activate(activation: str, x: FloatArray, out: FloatArray) -> None: ...
def force_form(form: Literal["dense", "lists", "teams"] | None) -> None: ...
def force_queries(grouping: Literal["tiles", "micro-batches"] | None) -> None: ...
def force_threads(forced: bool) -> None: ...
def force_split(split: Literal["inputs", "outputs"] | None) -> None: ...
