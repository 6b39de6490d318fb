"""The layer-by-layer network of Planche & Andres, Hands-On Computer Vision with TensorFlow 2, chapter 1, compiled.

    from fastnn.dropin.layers import FullyConnectedLayer, Neuron, SimpleNetwork

runs a program written for the classes of the chapter's files (neuron.py, fully_connected_layer.py, simple_network.py),
or for the tutorials that follow them. The chapter's notebook prints fewer lines and has another name for the
cross-entropy: :mod:`fastnn.dropin.layers_notebook`.

Parameters are drawn from the global ``numpy.random`` as the original draws them, W then b, layer by layer, and in
float64, the default, they agree with the original's to 1e-10 relative after 100 updates.

The built-in functions run in compiled kernels, and ``SimpleNetwork.train`` in one call an epoch. A caller's own
functions are compiled with Numba, and ``train`` stays one call an epoch, where Numba can compile all of them: where
they refer to nothing but numbers, NumPy and such functions, and draw no random numbers; one line on stderr says so.
Otherwise they run as they are, layer by layer, and one warning says why. Single samples never wait for the compiler.

As in the original the derivative functions take a layer's output, and ``derivated_loss_L2`` is 2 (pred - target), not
divided by the rows though :func:`loss_L2` is. Where the original would go on with NaN, DivergenceError ends the
training.

Chapter 1's neuron, a step function after a weighted sum:

>>> import numpy as np
>>> neuron = Neuron(num_inputs=2, activation_function=lambda z: np.where(z > 0, 1, 0))
>>> neuron.W, neuron.b = np.array([-2.0, -2.0]), np.array([3.0])  # a NAND gate
>>> [int(neuron.forward(np.array(x))[0]) for x in ((0, 0), (0, 1), (1, 0), (1, 1))]
[1, 1, 1, 0]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ... import checks
from ...errors import DivergenceError, InvalidArgumentError
from ...kernels import get_backend
from ...kernels.params import Parameters
from ...kernels.spec import FloatArray
from .built_in import (
    cross_entropy,
    derivated_cross_entropy,
    derivated_loss_L2,
    derivated_sigmoid,
    loss_L2,
    sigmoid,
)
from .layer import FullyConnectedLayer, Function, Neuron, checked_function
from .training import Run

__all__ = [
    "FullyConnectedLayer",
    "Neuron",
    "SimpleNetwork",
    "cross_entropy",
    "derivated_cross_entropy",
    "derivated_loss_L2",
    "derivated_sigmoid",
    "loss_L2",
    "sigmoid",
]


class _Slab(NamedTuple):
    """The parameters of all layers of a network, as if all were sigmoid layers, in one vector."""

    parameters: Parameters
    parts: list[FloatArray]  # each layer's part of the vector


class SimpleNetwork:
    """A network of fully connected layers of one activation function, trained by plain gradient descent in batches.

    Attributes
    ----------
    layers : the list of its layers, the first hidden one first; may be changed.
    loss_function, derivated_loss_function : L(pred, target) and dL/dpred of a batch; may be replaced.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        hidden_layers_sizes: Sequence[int] = (64, 32),
        activation_function: Function = sigmoid,
        derivated_activation_function: Function | None = derivated_sigmoid,
        loss_function: Function = loss_L2,
        derivated_loss_function: Function = derivated_loss_L2,
        *,
        dtype: DTypeLike = "float64",
    ) -> None:
        sizes = [num_inputs, *hidden_layers_sizes, num_outputs]
        self.layers = [
            FullyConnectedLayer(*shape, activation_function, derivated_activation_function, dtype=dtype)
            for shape in pairwise(sizes)
        ]
        self.loss_function = checked_function("loss_function", loss_function)
        self.derivated_loss_function = checked_function("derivated_loss_function", derivated_loss_function)
        self._slab: _Slab | None = None
        self._together()

    def _together(self) -> Parameters:
        """All layers' parameters in one vector, to which they are moved where the list of layers has changed."""
        layers, slab = self.layers, self._slab
        if slab and len(layers) == len(slab.parts) and all(map(_lies_in, layers, slab.parts)):
            return slab.parameters
        if not layers:
            raise InvalidArgumentError("layers", "at least one layer", "none")
        first = layers[0]
        for before, layer in pairwise(layers):
            if layer._width != before.size or layer._dtype != first._dtype:
                expected = f"{before.size} inputs of {first._dtype}, as the layer before it has outputs"
                raise InvalidArgumentError("layers", expected, f"{layer._width} of {layer._dtype}")
        sizes = [first._width, *(layer.size for layer in layers)]
        parameters = Parameters.zeros(sizes, ["sigmoid"] * len(layers), "quadratic", True, first._dtype)
        parts = np.split(parameters.vector, np.cumsum([layer._parameters.vector.size for layer in layers])[:-1])
        for layer, part in zip(layers, parts, strict=True):
            part[:] = layer._parameters.vector
            layer._parameters = Parameters(layer._parameters.net, part)
        self._slab = _Slab(parameters, parts)
        return parameters

    def forward(self, x: ArrayLike) -> Any:
        """The outputs (n, num_outputs) for rows (n, num_inputs), or (num_outputs,) for one sample (num_inputs,)."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def predict(self, x: ArrayLike) -> Any:
        """The class of one sample (num_inputs,), or the classes (n,) of rows (n, num_inputs): the largest output.

        The layers' x and y stay as they are.
        """
        outputs = self._outputs("x", x)
        return outputs.argmax() if len(outputs) == 1 else outputs.argmax(axis=1)

    def _outputs(self, argument: str, x: ArrayLike) -> NDArray[Any]:
        """The outputs (n, num_outputs) for rows or one sample."""
        parameters, layers = self._together(), self.layers
        rows = checks.sample_or_rows(argument, x, layers[0]._width, layers[0]._dtype)
        if not all(layer._is_sigmoid for layer in layers):
            for layer in layers:
                rows = checks.Inputs(layer._activated(*rows), 1.0)
            return rows.X
        out = np.empty((len(rows.X), layers[-1].size), parameters.vector.dtype)
        if not get_backend().forward(parameters.net, parameters.vector, rows.X, rows.scale, out):
            checks.blame_nonfinite(argument, rows.X)
        return out

    def backward(self, dL_dy: ArrayLike) -> ArrayLike:
        """From the loss's slopes by the outputs those by the inputs; every layer keeps its gradient."""
        for layer in reversed(self.layers):
            dL_dy = layer.backward(dL_dy)
        return dL_dy

    def optimize(self, epsilon: float) -> None:
        """Every layer's step of gradient descent."""
        for layer in self.layers:
            layer.optimize(epsilon)

    def evaluate_accuracy(self, X_val: ArrayLike, y_val: ArrayLike) -> float:
        """The share of rows X_val (n, num_inputs) whose largest output is at their label y_val (n,)."""
        outputs = self._outputs("X_val", X_val)
        checks.nonempty("X_val", len(outputs))
        labels = checks.labels("y_val", y_val, len(outputs))
        return float(np.mean(outputs.argmax(axis=1) == labels))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_slab": None}  # a copy's layers have vectors of their own

    def train(
        self,
        X_train: ArrayLike,
        y_train: ArrayLike,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        batch_size: int = 32,
        num_epochs: int = 5,
        learning_rate: float = 1e-3,
        print_frequency: int = 1,
    ) -> tuple[list[float], list[float]]:
        """Train on batches in the order of the rows, leaving out a tail that fills none; print a line an epoch.

        With ``print_frequency`` k, only every k-th epoch, from the first one on, and the last one are printed.

        ``X_train`` is (n, num_inputs), ``y_train`` the targets (n, num_outputs); ``X_val`` and the labels ``y_val``
        (n,) are scored after every epoch. Returns each epoch's loss, the mean of its batches', and, with validation
        data, its accuracy. The layers' x, y and gradients are then None, as none of them ran alone.

        Raises DivergenceError, keeping the last finite parameters, and FastnnError for unusable arguments.
        """
        batch_size = checks.integer("batch_size", batch_size, low=1)
        num_epochs = checks.integer("num_epochs", num_epochs, low=0)
        rate = checks.number("learning_rate", learning_rate, low=0)
        every = checks.integer("print_frequency", print_frequency, low=1)
        run = Run(self, X_train, y_train, batch_size, rate, num_epochs)
        losses: list[float] = []
        accuracies: list[float] = []
        for epoch in range(num_epochs):
            try:
                losses.append(np.float64(run.epoch()))
            except DivergenceError as error:
                raise DivergenceError(f"epoch {epoch}: {error}") from None
            if X_val is not None and y_val is not None:
                accuracies.append(self.evaluate_accuracy(X_val, y_val))
            accuracy = accuracies[-1] if accuracies else math.nan
            if epoch % every == 0 or epoch == num_epochs - 1:
                print(f"Epoch {epoch:4d}: training loss = {losses[-1]:.6f} | val accuracy = {accuracy * 100:.2f}%")
        return losses, accuracies


def _lies_in(layer: FullyConnectedLayer, part: FloatArray) -> bool:
    return layer._parameters.vector is part
