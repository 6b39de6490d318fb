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
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ... import checks
from ...errors import DivergenceError, FastnnError, InvalidArgumentError, InvalidTypeError
from ...kernels import get_backend
from ...kernels.spec import (
    FloatArray,
    Net,
    aligned_copy,
    aligned_empty,
    aligned_zeros,
    bias_views,
    layout,
    weight_views,
)
from . import functions
from .training import (
    Run,
    cross_entropy,
    derivated_cross_entropy,
    derivated_loss_L2,
    derivated_sigmoid,
    loss_L2,
    sigmoid,
)

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

Function = Callable[..., Any]


class _Slab(NamedTuple):
    """The parameters of all layers of a network in one vector."""

    net: Net  # sigmoid layers
    params: FloatArray
    parts: list[FloatArray]  # each layer's


class Neuron:
    """One neuron: ``W`` (num_inputs,) and ``b`` (1,), both drawn from uniform(-1, 1)."""

    def __init__(self, num_inputs: int, activation_function: Function) -> None:
        num_inputs = checks.integer("num_inputs", num_inputs, low=1)
        self.W = np.random.uniform(low=-1.0, high=1.0, size=num_inputs)
        self.b = np.random.uniform(low=-1.0, high=1.0, size=1)
        self.activation_function = _function("activation_function", activation_function)

    def forward(self, x: ArrayLike) -> Any:
        """The output (1,) for inputs (num_inputs,), or (n,) for rows (n, num_inputs)."""
        x = checks.numeric_array("x", x)
        if x.ndim not in (1, 2) or x.shape[-1] != len(self.W):
            raise InvalidArgumentError("x", f"shape ({len(self.W)},) or (n, {len(self.W)})", f"shape {x.shape}")
        return functions.apply(self.activation_function, np.dot(x, self.W) + self.b, x.size // len(self.W))


class FullyConnectedLayer:
    """A layer of ``layer_size`` neurons.

    Parameters
    ----------
    num_inputs, layer_size : its shape.
    activation_function, derivated_activation_function : f and f', which takes the value of f; may be replaced later.
    dtype : "float64", the original's, or "float32", which is faster and gives other digits.

    Attributes
    ----------
    W, b : (num_inputs, layer_size) and (layer_size,), drawn from normal(0, 1) in this order; views of one vector, which
        may be edited in place or assigned.
    size : layer_size.
    x, y : input and output of the last ``forward``.
    dL_dW, dL_db : the gradient of the last ``backward``, in the shapes of W and b.
    """

    def __init__(
        self,
        num_inputs: int,
        layer_size: int,
        activation_function: Function,
        derivated_activation_function: Function | None = None,
        *,
        dtype: DTypeLike = "float64",
    ) -> None:
        self._width = checks.integer("num_inputs", num_inputs, low=1)
        self.size = checks.integer("layer_size", layer_size, low=1)
        self.activation_function = _function("activation_function", activation_function)
        self.derivated_activation_function = derivated_activation_function
        if derivated_activation_function is not None:
            _function("derivated_activation_function", derivated_activation_function)
        self._dtype = checks.float_dtype(dtype)
        # identity: z for a caller's function; and where the derivative is another, dL/dz as it is handed in
        self._linear, count = layout([num_inputs, layer_size], ["identity"], "quadratic", True, self._dtype)
        self._sigmoid, _ = layout([num_inputs, layer_size], ["sigmoid"], "quadratic", True, self._dtype)
        self._params = aligned_zeros(count, self._dtype)
        self.W[:] = np.random.standard_normal((num_inputs, layer_size))
        self.b[:] = np.random.standard_normal(layer_size)
        self._forget()

    def _forget(self) -> None:
        self.x: Any = None
        self.y: Any = None
        self.dL_dW: Any = None
        self.dL_db: Any = None

    @property
    def W(self) -> FloatArray:  # noqa: N802  # the book's name
        return weight_views(self._linear, self._params)[0]

    @W.setter
    def W(self, values: ArrayLike) -> None:  # noqa: N802  # the book's name
        checks.parameters("W", [values], [self.W])

    @property
    def b(self) -> FloatArray:
        return bias_views(self._linear, self._params)[0]

    @b.setter
    def b(self, values: ArrayLike) -> None:
        checks.parameters("b", [values], [self.b])

    def forward(self, x: ArrayLike) -> Any:
        """The output (n, layer_size) for rows (n, num_inputs), or (layer_size,) for one sample (num_inputs,)."""
        y = self._activated(*checks.sample_or_rows("x", x, self._width, self._dtype))
        self.x, self.y = x, y[0] if np.ndim(x) == 1 else y
        return self.y

    def _activated(self, X: NDArray[Any], scale: float) -> Any:
        """The outputs (n, layer_size) of rows."""
        is_built_in = self.activation_function is sigmoid
        out = np.empty((len(X), self.size), self._dtype)
        net = self._sigmoid if is_built_in else self._linear
        if not get_backend().forward(net, self._params, X, scale, out):
            checks.blame_nonfinite("x", X)
        if is_built_in:
            return out
        y = np.asarray(functions.apply(self.activation_function, out, len(out)))
        if y.shape != out.shape:
            raise InvalidArgumentError("activation_function", f"a result of its argument's shape {out.shape}", y.shape)
        return checks.for_kernels(y, self._dtype)

    def backward(self, dL_dy: ArrayLike) -> FloatArray:
        """From dL/dy, in the shape of y, dL/dx in that of x; dL_dW and dL_db are those of the whole batch, summed."""
        derivative = self.derivated_activation_function
        if self.y is None:
            raise FastnnError("backward: expected a forward pass before it, found none")
        if derivative is None:
            raise InvalidArgumentError("derivated_activation_function", "a function, for backward", None)
        is_built_in = derivative is derivated_sigmoid
        X, scale = checks.sample_or_rows("x", self.x, self._width, self._dtype)
        y = checks.sample_or_rows("y", self.y, self.size, self._dtype).X
        slopes = checks.sample_or_rows("dL_dy", dL_dy, self.size, self._dtype).X
        if len(slopes) != len(X) or len(y) != len(X):
            raise InvalidArgumentError("dL_dy", f"{len(X)} rows, as many as x", len(slopes))
        if not is_built_in:
            slopes = slopes * functions.apply(derivative, y, len(y))
        y, slopes = (checks.for_kernels(values, self._dtype) for values in (y, slopes))
        grad, input_grad = aligned_empty(self._params.size, self._dtype), np.empty(X.shape, self._dtype)
        net = self._sigmoid if is_built_in else self._linear
        get_backend().layer_grad(net, self._params, X, scale, y, slopes, grad, input_grad)
        self.dL_dW, self.dL_db = weight_views(net, grad)[0], bias_views(net, grad)[0]
        return input_grad[0] if np.ndim(self.x) == 1 else input_grad

    def optimize(self, epsilon: float) -> None:
        """One step of gradient descent by the stored gradient, at the learning rate ``epsilon``."""
        epsilon = checks.number("epsilon", epsilon, low=0)
        if self.dL_dW is None:
            raise FastnnError("optimize: expected a backward pass before it, found none")
        for parameters, gradient in ((self.W, self.dL_dW), (self.b, self.dL_db)):
            parameters -= epsilon * gradient

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._params = aligned_copy(self._params)  # what was copied or unpickled need not be aligned


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
        self.loss_function = _function("loss_function", loss_function)
        self.derivated_loss_function = _function("derivated_loss_function", derivated_loss_function)
        self._slab: _Slab | None = None
        self._together()

    def _together(self) -> _Slab:
        """All layers' parameters in one vector, to which they are moved where the list of layers has changed."""
        layers, slab = self.layers, self._slab
        if slab and len(layers) == len(slab.parts) and all(map(_lies_in, layers, slab.parts)):
            return slab
        if not layers:
            raise InvalidArgumentError("layers", "at least one layer", "none")
        first = layers[0]
        for before, layer in pairwise(layers):
            if layer._width != before.size or layer._dtype != first._dtype:
                expected = f"{before.size} inputs of {first._dtype}, as the layer before it has outputs"
                raise InvalidArgumentError("layers", expected, f"{layer._width} of {layer._dtype}")
        sizes = [first._width, *(layer.size for layer in layers)]
        net, count = layout(sizes, ["sigmoid"] * len(layers), "quadratic", True, first._dtype)
        params = aligned_zeros(count, first._dtype)
        parts = np.split(params, np.cumsum([layer._params.size for layer in layers])[:-1])
        for layer, part in zip(layers, parts, strict=True):
            part[:] = layer._params
            layer._params = part
        self._slab = _Slab(net, params, parts)
        return self._slab

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
        slab, layers = self._together(), self.layers
        rows = checks.sample_or_rows(argument, x, layers[0]._width, layers[0]._dtype)
        if not all(map(_is_sigmoid, layers)):
            for layer in layers:
                rows = checks.Inputs(layer._activated(*rows), 1.0)
            return rows.X
        out = np.empty((len(rows.X), layers[-1].size), slab.params.dtype)
        if not get_backend().forward(slab.net, slab.params, rows.X, rows.scale, out):
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
    return layer._params is part


def _is_sigmoid(layer: FullyConnectedLayer) -> bool:
    return layer.activation_function is sigmoid


def _function(argument: str, value: Function) -> Function:
    if not callable(value):
        raise InvalidTypeError(argument, "a function", type(value).__name__)
    return value
