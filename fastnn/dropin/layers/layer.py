"""The chapter's neuron and fully connected layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ... import checks
from ...errors import FastnnError, InvalidArgumentError, InvalidTypeError
from ...kernels import get_backend
from ...kernels.params import OwnsParameters, Parameters, aligned_empty
from ...kernels.spec import FloatArray, LayerGrads, layout
from . import functions
from .built_in import derivated_sigmoid, sigmoid

Function = Callable[..., Any]


class Neuron:
    """One neuron: ``W`` (num_inputs,) and ``b`` (1,), both drawn from uniform(-1, 1)."""

    def __init__(self, num_inputs: int, activation_function: Function) -> None:
        num_inputs = checks.integer("num_inputs", num_inputs, low=1)
        self.W = np.random.uniform(low=-1.0, high=1.0, size=num_inputs)
        self.b = np.random.uniform(low=-1.0, high=1.0, size=1)
        self.activation_function = checked_function("activation_function", activation_function)

    def forward(self, x: ArrayLike) -> Any:
        """The output (1,) for inputs (num_inputs,), or (n,) for rows (n, num_inputs)."""
        x = checks.numeric_array("x", x)
        if x.ndim not in (1, 2) or x.shape[-1] != len(self.W):
            raise InvalidArgumentError("x", f"shape ({len(self.W)},) or (n, {len(self.W)})", f"shape {x.shape}")
        return functions.apply(self.activation_function, np.dot(x, self.W) + self.b, x.size // len(self.W))


class FullyConnectedLayer(OwnsParameters):
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
        self.activation_function = checked_function("activation_function", activation_function)
        self.derivated_activation_function = derivated_activation_function
        if derivated_activation_function is not None:
            checked_function("derivated_activation_function", derivated_activation_function)
        self._dtype = checks.float_dtype(dtype)
        # identity: z for a caller's function; and where the derivative is another, dL/dz as it is handed in
        self._parameters = Parameters.zeros([num_inputs, layer_size], ["identity"], "quadratic", True, self._dtype)
        self._sigmoid, _ = layout([num_inputs, layer_size], ["sigmoid"], "quadratic", True, self._dtype)
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
        return self._parameters.weights[0]

    @W.setter
    def W(self, values: ArrayLike) -> None:  # noqa: N802  # the book's name
        checks.parameters("W", [values], [self.W])

    @property
    def b(self) -> FloatArray:
        return self._parameters.biases[0]

    @b.setter
    def b(self, values: ArrayLike) -> None:
        checks.parameters("b", [values], [self.b])

    @property
    def _is_sigmoid(self) -> bool:
        return self.activation_function is sigmoid

    def forward(self, x: ArrayLike) -> Any:
        """The output (n, layer_size) for rows (n, num_inputs), or (layer_size,) for one sample (num_inputs,)."""
        y = self._activated(*checks.sample_or_rows("x", x, self._width, self._dtype))
        self.x, self.y = x, y[0] if np.ndim(x) == 1 else y
        return self.y

    def _activated(self, X: NDArray[Any], scale: float) -> Any:
        """The outputs (n, layer_size) of rows."""
        out = np.empty((len(X), self.size), self._dtype)
        net = self._sigmoid if self._is_sigmoid else self._parameters.net
        if not get_backend().forward(net, self._parameters.vector, X, scale, out):
            checks.blame_nonfinite("x", X)
        if self._is_sigmoid:
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
        net, vector = self._sigmoid if is_built_in else self._parameters.net, self._parameters.vector
        grad, input_grad = Parameters(net, aligned_empty(vector.size, self._dtype)), np.empty(X.shape, self._dtype)
        get_backend().layer_grad(net, vector, X, scale, y, slopes, LayerGrads(grad.vector, input_grad))
        self.dL_dW, self.dL_db = grad.weights[0], grad.biases[0]
        return input_grad[0] if np.ndim(self.x) == 1 else input_grad

    def optimize(self, epsilon: float) -> None:
        """One step of gradient descent by the stored gradient, at the learning rate ``epsilon``."""
        epsilon = checks.number("epsilon", epsilon, low=0)
        if self.dL_dW is None:
            raise FastnnError("optimize: expected a backward pass before it, found none")
        for parameters, gradient in ((self.W, self.dL_dW), (self.b, self.dL_db)):
            parameters -= epsilon * gradient


def checked_function(argument: str, value: Function) -> Function:
    if not callable(value):
        raise InvalidTypeError(argument, "a function", type(value).__name__)
    return value
