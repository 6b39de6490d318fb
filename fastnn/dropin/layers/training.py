"""How :mod:`.layers` trains: epochs by the kernels, by compiled functions or layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ... import checks
from ...errors import DivergenceError, InvalidArgumentError
from ...kernels.params import Parameters
from ...kernels.spec import LOSSES as KERNEL_LOSSES
from ...kernels.spec import SGD, Data, EpochArgs, Rule
from ...nn.fit import packed, run_epoch
from . import functions
from .built_in import LOSSES, Loss, derivated_sigmoid, sigmoid
from .layer import FullyConnectedLayer


class Network(Protocol):
    """What a training asks of a SimpleNetwork."""

    layers: list[FullyConnectedLayer]
    loss_function: Callable[..., Any]
    derivated_loss_function: Callable[..., Any]

    def _together(self) -> Parameters: ...
    def forward(self, x: ArrayLike) -> Any: ...
    def backward(self, dL_dy: ArrayLike) -> ArrayLike: ...
    def optimize(self, epsilon: float) -> None: ...


class Run:
    """A training: the data as kernels take them, and how an epoch of the network's functions runs."""

    def __init__(self, network: Network, X: ArrayLike, y: ArrayLike, batch_size: int, rate: float, epochs: int) -> None:
        self.network, self.batch_size, self.rate = network, batch_size, rate
        parameters, first, outputs = network._together(), network.layers[0], network.layers[-1].size
        rows = checks.inputs("X_train", X, first._width, first._dtype, uint8_scale=1.0)
        y = checks.numeric_array("y_train", y)
        if y.shape != (len(rows.X), outputs):
            raise InvalidArgumentError("y_train", f"targets of shape {(len(rows.X), outputs)}", f"shape {y.shape}")
        self.data = Data(*rows, checks.for_kernels(y, first._dtype))
        self.batches = len(rows.X) // batch_size
        if self.batches == 0:
            raise InvalidArgumentError("batch_size", f"at most {len(rows.X)}, the rows of X_train", batch_size)
        self.order = np.arange(self.batches * batch_size)
        self.epoch = self._layer_by_layer

        pair = network.loss_function, network.derivated_loss_function
        used = {(layer.activation_function, layer.derivated_activation_function) for layer in network.layers}
        activation, derivative = used.pop()
        if used or derivative is None:
            return  # layers of several kinds; or without a derivative, of which ``backward`` will complain
        if (activation, derivative) == (sigmoid, derivated_sigmoid) and pair in LOSSES:
            self.epoch = partial(self._by_kernels, LOSSES[pair])
            self.data = packed(self.data, parameters.net, epochs, batch_size)
            return
        own = functions.compiled_for_training(activation, derivative, *pair, outputs, parameters.vector.dtype)
        if own:
            self.epoch = partial(self._by_own, own)

    def _by_kernels(self, loss: Loss) -> float:
        """Train once on all batches; return the mean of their losses."""
        parameters, data = self._parameters(), self.data
        net, vector = parameters.net._replace(loss=KERNEL_LOSSES.index(loss.name)), parameters.vector
        rule = Rule(SGD, self.rate * loss.step * self.batch_size)  # the kernels follow the mean
        state = np.empty((0, vector.size), vector.dtype)
        try:
            total = run_epoch(net, vector, state, data, EpochArgs(self.order, self.batch_size, rule)).loss
        except InvalidArgumentError:  # of NaN or infinity in the data
            self._blame_data()
            raise
        return loss.factor * total / (len(self.order) * (data.y.shape[1] if loss.per_output else 1))

    def _by_own(self, own: functions.Four) -> float:
        """The same with the caller's functions, compiled."""
        parameters = self._parameters()
        arguments = parameters.net, parameters.vector, self.data, self.order, self.batch_size, self.rate
        return self._mean(*functions.train_epoch(own, *arguments))

    def _layer_by_layer(self) -> float:
        """The same with the caller's functions as they are."""
        network, total = self.network, 0.0
        for batch in range(self.batches):
            rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            predictions, targets = network.forward(self.data.dense[rows]), self.data.y[rows]
            loss = float(network.loss_function(predictions, targets))
            if not math.isfinite(loss):
                return self._mean(total, batch)
            total += loss
            network.backward(network.derivated_loss_function(predictions, targets))
            network.optimize(self.rate)
        return self._mean(total, self.batches)

    def _parameters(self) -> Parameters:
        for layer in self.network.layers:
            layer._forget()
        return self.network._together()

    def _mean(self, total: float, done: int) -> float:
        if done < self.batches:
            self._blame_data()
            raise DivergenceError(
                f"training diverged after {done} of {self.batches} batches (learning rate {self.rate:g}): expected a "
                "finite loss, found NaN or infinity; the last parameters are kept"
            )
        return total / self.batches

    def _blame_data(self) -> None:
        checks.blame_nonfinite("X_train", self.data.X)
        checks.blame_nonfinite("y_train", self.data.y)
