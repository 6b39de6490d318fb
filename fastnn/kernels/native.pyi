from typing import Any

from numpy.typing import NDArray

from .spec import EpochResult, FloatArray, IntArray, Net, Rule, Tick

simd: str

def describe() -> str: ...
def forward(net: Net, params: FloatArray, X: NDArray[Any], scale: float, out: FloatArray) -> None: ...
def loss_grad(
    net: Net, params: FloatArray, X: NDArray[Any], scale: float, y: NDArray[Any], grad: FloatArray
) -> float: ...
def train_epoch(
    net: Net,
    params: FloatArray,
    state: FloatArray,
    X: NDArray[Any],
    scale: float,
    y: NDArray[Any],
    order: IntArray,
    batch_size: int,
    rule: Rule,
    tick: Tick | None = None,
) -> EpochResult: ...
def activate(activation: str, x: FloatArray, out: FloatArray) -> None: ...
