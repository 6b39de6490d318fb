"""What the book's two programs share: parameters as lists of columns and matrices, and training by the kernels.

Each module of a program (:mod:`.nielsen`, :mod:`.nielsen2`, and the Python 3 port's :mod:`.nielsen_py3` and
:mod:`.nielsen2_py3`) has a ``sigmoid_prime`` of its own, as that calls the module's ``sigmoid``, which may be replaced:
:func:`derivative_in` makes it. The loops per sample here are the slower path, for networks of which the caller has
replaced a part.
"""

from __future__ import annotations

import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ... import checks
from ...errors import DivergenceError, InvalidArgumentError, callers_depth
from ...kernels import get_backend
from ...kernels.params import Parameters, aligned_empty
from ...kernels.spec import SGD, Data, EpochArgs, FloatArray, Rule
from ...nn.fit import run_epoch
from . import pairs as pair_data

Function = Callable[[Any], Any]

ACTIVATION = ("sigmoid", "sigmoid_prime")  # functions of the module, all others are methods

_warned: set[tuple[str, ...]] = set()


def vectorized_result(j: int) -> NDArray[np.float64]:
    """The target column (10, 1) of digit j: 1.0 in row j, else 0.0."""
    column = np.zeros((10, 1))
    column[j] = 1.0
    return column


def sigmoid(z: Any) -> Any:
    """1 / (1 + exp(-z)), elementwise."""
    with np.errstate(over="ignore"):  # exp(-z) = inf gives the right 0
        return 1.0 / (1.0 + np.exp(-z))


def derivative_in(module: str) -> Function:
    """The function ``sigmoid_prime`` of a module, which is by the module's own ``sigmoid`` at each call."""

    def sigmoid_prime(z: Any) -> Any:
        """The derivative of :func:`sigmoid`."""
        s = sys.modules[module].sigmoid(z)
        return s * (1 - s)

    sigmoid_prime.__module__, sigmoid_prime.__qualname__ = module, "sigmoid_prime"  # under which pickle looks for it
    return sigmoid_prime


class _Slab(NamedTuple):
    """Parameters, and views of them in the book's shapes."""

    parameters: Parameters
    weights: list[FloatArray]  # (y, x) per layer
    biases: list[FloatArray]  # (y, 1) per layer
    inputs: int
    outputs: int


def _arrays(parameters: Parameters) -> tuple[list[FloatArray], list[FloatArray]]:
    """Weights and biases in the book's shapes."""
    return [w.T for w in parameters.weights], [b[:, np.newaxis] for b in parameters.biases]


def _views(parameters: Parameters) -> _Slab:
    sizes = parameters.net.sizes
    return _Slab(parameters, *_arrays(parameters), int(sizes[0]), int(sizes[-1]))


def _new_slab(sizes: Sequence[int], dtype: np.dtype[Any]) -> _Slab:
    return _views(Parameters.zeros(sizes, ["sigmoid"] * (len(sizes) - 1), "quadratic", True, dtype))


def _same(items: Sequence[Any], views: Sequence[Any]) -> bool:
    """Whether these are the views, or equal to them. Of the same objects a comparison of lists asks no more: 3% of a
    call for one image, where a loop takes 15%.
    """
    try:
        return bool(items == views)
    except ValueError:  # other arrays, whose comparison is neither true nor false
        return False


class BookNetwork:
    """A network of sigmoid layers in the book's shapes; :mod:`.nielsen` and :mod:`.nielsen2` derive theirs from it.

    ``weights`` and ``biases`` are lists of views of one slab. The caller may edit the arrays, replace some or all, or
    keep them: training writes to a new slab, as the original makes new arrays at every step.
    """

    sizes: Sequence[int]
    num_layers: int
    weights: list[FloatArray]
    biases: list[FloatArray]

    # Class attributes, so that networks made without __init__ (pickles that the original wrote) have them too.
    _dtype: np.dtype[Any] = np.dtype(np.float64)
    _slab: _Slab | None = None
    _spare: _Slab | None = None  # never seen by the caller: room for parameters that lie elsewhere
    _module: ClassVar[str]
    _originals: ClassVar[dict[str, object]]
    _copies_training_data: ClassVar[bool] = False  # before it is shuffled, which the book's programs do in place

    def _set_up(self, sizes: Sequence[int], dtype: DTypeLike) -> None:
        checks.layer_sizes(sizes)
        self.num_layers = len(sizes)
        self.sizes = sizes
        self._dtype = checks.float_dtype(dtype)

    def _draw(self, scaled: bool = False, weights_first: bool = False) -> None:
        """Draw normal(0, 1) biases, then weights (divided by sqrt(inputs) if ``scaled``), from numpy.random."""
        slab = _new_slab(self.sizes, self._dtype)
        for kind in ("weights", "biases") if weights_first else ("biases", "weights"):
            for view in getattr(slab, kind):
                view[:] = np.random.randn(*view.shape)
                if scaled and kind == "weights":
                    view /= math.sqrt(view.shape[1])
        self._publish(slab)

    def _publish(self, slab: _Slab) -> None:
        self._slab, self.weights, self.biases = slab, list(slab.weights), list(slab.biases)

    def _current(self) -> _Slab:
        """The parameters in one slab: that of the views or, where the caller has replaced some, a copy."""
        slab = self._slab
        if slab and _same(self.weights, slab.weights) and _same(self.biases, slab.biases):
            return slab
        weights = [checks.numeric_array(f"weights[{i}]", w) for i, w in enumerate(self.weights)]
        if not weights or any(w.ndim != 2 for w in weights):
            raise InvalidArgumentError("weights", "arrays of shape (y, x), one per layer", [w.shape for w in weights])
        sizes = [weights[0].shape[1], *(w.shape[0] for w in weights)]
        if not self._spare or self._spare.parameters.net.sizes.tolist() != sizes:
            self._spare = _new_slab(sizes, self._dtype)
        checks.parameters("weights", weights, self._spare.weights)
        checks.parameters("biases", list(self.biases), self._spare.biases)
        return self._spare

    def _renew(self) -> tuple[_Slab, _Slab]:
        """Move to a new slab, so that arrays the caller has kept do not change when this one is trained.

        Returns the old slab and the new one.
        """
        old = self._current()
        slab = _views(copy(old.parameters))
        self._publish(slab)
        return old, slab

    def __getstate__(self) -> dict[str, Any]:
        # Without the slabs: a copy's arrays are no longer views, and are then gathered like replaced ones.
        return {name: value for name, value in self.__dict__.items() if name not in ("_slab", "_spare")}

    # -----------------------------------------------------------------------------------------------------------------
    # Outputs

    def feedforward(self, a: ArrayLike) -> FloatArray:
        """The output column (outputs, 1) for the input column ``a`` (inputs, 1), or (outputs, n) for (inputs, n)."""
        sigmoid = sys.modules[self._module].sigmoid  # short of a call: an image takes 3 microseconds
        if sigmoid is not self._originals["sigmoid"]:
            for b, w in zip(self.biases, self.weights, strict=True):
                a = sigmoid(np.dot(w, a) + b)
            return np.asarray(a)
        slab = self._current()
        X, scale = checks.columns("a", a, slab.inputs, self._dtype)
        return self._outputs(slab, X, scale).T

    def forward(self, a: ArrayLike) -> FloatArray:
        """Another name of :meth:`feedforward`."""
        return self.feedforward(a)

    def _outputs(self, slab: _Slab, X: NDArray[Any], scale: float) -> FloatArray:
        """The outputs (n, outputs) of all rows."""
        out = np.empty((len(X), slab.outputs), self._dtype)
        get_backend().forward(slab.parameters.net, slab.parameters.vector, X, scale, out)
        return out

    def _slow_outputs(self) -> Function | None:
        """Where the caller has replaced the forward pass, the method to call for every column."""
        names = self._replaced("feedforward", "forward", *ACTIVATION)
        if not names:
            return None
        self._warn(names)
        return self.forward if "forward" in names else self.feedforward

    def _hits(self, data: Data) -> int:
        """Rows whose largest output is at their label or at their target's largest value."""
        found = self._outputs(self._current(), data.dense, data.scale).argmax(axis=1)
        return int((found == (data.y if data.y.ndim == 1 else data.y.argmax(axis=1))).sum())

    # -----------------------------------------------------------------------------------------------------------------
    # Training

    def _loss(self) -> int:
        """The kernels' code of the cost."""
        raise NotImplementedError

    def _output_delta(self, z: FloatArray, a: FloatArray, y: FloatArray) -> FloatArray:
        """dC/dz of the output layer, on the slower path."""
        raise NotImplementedError

    def _replaced_in_training(self) -> list[str]:
        """What of ``backprop`` the caller has replaced."""
        return self._replaced("cost_derivative", "backprop", *ACTIVATION)

    def backprop(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[list[FloatArray], list[FloatArray]]:
        """The gradient (nabla_b, nabla_w) of the cost of one pair of columns, in the shapes of biases and weights."""
        names = [name for name in self._replaced_in_training() if name != "backprop"]
        if names:
            self._warn(names)
            return self._slow_backprop(x, y)
        slab = self._current()
        data, vector = self._vectors("(x, y)", [(x, y)], slab).data, slab.parameters.vector
        net, grad = slab.parameters.net._replace(loss=self._loss()), aligned_empty(vector.size, self._dtype)
        get_backend().loss_grad(net, vector, data, grad)
        nabla_w, nabla_b = _arrays(Parameters(net, grad))
        return [b.copy() for b in nabla_b], nabla_w  # whoever keeps the biases' part keeps no more than that

    def _vectors(self, argument: str, pairs: list[Any], slab: _Slab) -> pair_data.Rows:
        return pair_data.vector_rows(argument, pairs, slab.inputs, slab.outputs, self._dtype)

    def _slow_backprop(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[list[FloatArray], list[FloatArray]]:
        sigmoid, sigmoid_prime = self._functions()
        outputs, zs = [x], []
        for b, w in zip(self.biases, self.weights, strict=True):
            zs.append(np.dot(w, outputs[-1]) + b)
            outputs.append(sigmoid(zs[-1]))
        delta = self._output_delta(zs[-1], outputs[-1], y)
        nabla_b, nabla_w = [delta], [np.dot(delta, outputs[-2].T)]
        for layer in range(len(zs) - 1, 0, -1):
            delta = np.dot(self.weights[layer].T, delta) * sigmoid_prime(zs[layer - 1])
            nabla_b.insert(0, delta)
            nabla_w.insert(0, np.dot(delta, outputs[layer - 1].T))
        return nabla_b, nabla_w

    def _update(self, batch: list[Any], eta: float, l2: float) -> None:
        """One step down the mean gradient of a mini-batch; l2 is the book's lmbda / n."""
        names = self._replaced_in_training()
        if not names:
            rows = self._vectors("mini_batch", batch, self._current())
            return self._descend("mini_batch", batch, rows, len(batch), eta, l2)
        self._warn(names)
        if not batch:
            raise InvalidArgumentError("mini_batch", "at least one pair (x, y)", "none")
        summed: tuple[list[Any], list[Any]] = [0.0] * len(self.biases), [0.0] * len(self.weights)
        for x, y in batch:
            for total, gradient in zip(summed, self.backprop(x, y), strict=True):
                total[:] = [t + g for t, g in zip(total, gradient, strict=True)]
        step, decay = eta / len(batch), 1 - eta * l2
        nabla_b, nabla_w = summed
        weights = [decay * w - step * nw for w, nw in zip(self.weights, nabla_w, strict=True)]
        biases = [b - step * nb for b, nb in zip(self.biases, nabla_b, strict=True)]
        self.weights = [np.asarray(w, self._dtype) for w in weights]
        self.biases = [np.asarray(b, self._dtype) for b in biases]

    def _descend(
        self, argument: str, pairs: list[Any], rows: pair_data.Rows, batch_size: int, eta: float, l2: float
    ) -> None:
        """Train on the rows in the order of ``rows.places``."""
        before = self._slab, self.weights, self.biases
        old, slab = self._renew()
        net, vector = slab.parameters.net._replace(loss=self._loss()), slab.parameters.vector
        state = np.empty((0, vector.size), self._dtype)
        order, rule = np.array(rows.places, np.int64), Rule(SGD, learning_rate=eta, l2=l2)
        try:
            run_epoch(
                net, vector, state, rows.data, EpochArgs(order, batch_size, rule), first_params=old.parameters.vector
            )
        except DivergenceError:
            raise
        except InvalidArgumentError:  # NaN or infinity in the data: say in which pair
            self._slab, self.weights, self.biases = before
            pair_data.blame_nonfinite(argument, pairs)
            raise

    def _train(
        self,
        pairs: list[Any],
        rows: pair_data.Rows | None,
        epochs: int,
        batch_size: int,
        eta: float,
        l2: float,
        update: Callable[[list[Any]], object],
    ) -> Iterator[int]:
        """Yield after every epoch. The list is shuffled as the original shuffles it; ``update`` is the slower path."""
        for epoch in range(epochs):
            if rows is None:
                random.shuffle(pairs)
                for first in range(0, len(pairs), batch_size):
                    update(pairs[first : first + batch_size])
            else:
                pair_data.shuffle(pairs, rows.places)
                try:
                    self._descend("training_data", pairs, rows, batch_size, eta, l2)
                except DivergenceError as error:
                    raise DivergenceError(f"epoch {epoch}: {error}") from None
            yield epoch

    # -----------------------------------------------------------------------------------------------------------------
    # What the caller has replaced: overridden in a subclass, set on the instance, or patched into class or module

    def _functions(self) -> tuple[Function, Function]:
        """The module's present sigmoid and sigmoid_prime."""
        module = sys.modules[self._module]
        return module.sigmoid, module.sigmoid_prime

    def _replaced(self, *names: str) -> list[str]:
        found = []
        for name in names:
            if name in ACTIVATION:
                present = getattr(sys.modules[self._module], name)
            else:
                present = self.__dict__.get(name) or getattr(type(self), name, None)
            if name in self._originals and present is not self._originals[name]:
                found.append(name)
        return found

    def _warn(self, names: Sequence[str]) -> None:
        """Say once for every class that it takes the slower path, and why."""
        key = (f"{type(self).__module__}.{type(self).__qualname__}", *names)
        if key not in _warned:
            _warned.add(key)
            message = f"{key[0]} computes sample by sample in NumPy, which is slower: {', '.join(names)} is replaced"
            warnings.warn(message, stacklevel=callers_depth())


def originals(cls: type[BookNetwork], *methods: str) -> dict[str, object]:
    """What ``_replaced`` compares with: a facade's methods and the functions of its module, at import."""
    module = sys.modules[cls._module]
    found: dict[str, object] = {name: getattr(cls, name) for name in ("feedforward", "forward", "backprop", *methods)}
    return found | {name: getattr(module, name) for name in ACTIVATION}
