"""The programs that tutorials write by hand for MNIST: a network of one hidden layer, and k nearest neighbours.

    from fastnn.dropin.scratch import conver2one_hot, fit, knn, predict, pt_image, read_pic, set_random_seed

``fit`` is full-batch gradient descent in float64 on ReLU, softmax and the cross-entropy. Same seed, same numbers: the
weights are drawn from the global ``numpy.random`` as such programs draw them and agree with theirs to 1e-10 relative
after 100 epochs, the printed losses to their last digit. As in such programs ``fit`` takes pixels 0..255 and divides
them by 255 itself, while ``predict`` takes inputs as they are, so that its caller scales them: ``predict(np.array(test)
/ 255.0, w1, b1, w2, b2)``. The variant for the mean squared error, with a linear output and inputs scaled to -1..1, has
the same names in :mod:`fastnn.dropin.scratch_mse`.

``knn`` keeps the training set that such programs pass with every query; :mod:`fastnn.dropin.scratch_knn` says how.

The program of four layers that tutorials train with TensorFlow (relu, linear output, mean squared error over all
outputs, weights from a normal distribution of 0.1 cut off at two standard deviations, zero biases, 100 updates by all
images) is an :class:`fastnn.MLP`:

    >>> import math
    >>> import fastnn
    >>> (X, y), _ = fastnn.datasets.load_mnist()
    >>> X, y = X[:500], y[:500]
    >>> model = fastnn.MLP([784, 256, 128, 10], activation="relu", output="identity", loss="mean_squared_error",
    ...                    init="truncated_normal", seed=1)
    >>> for weights in model.weights:  # this init has standard deviations of 1 / sqrt(inputs)
    ...     weights *= 0.1 * math.sqrt(len(weights))
    >>> history = model.fit(X, y, epochs=100, batch_size=len(X), learning_rate=0.01, shuffle=False)
    >>> history.loss[99] < history.loss[0] / 2
    True
"""

from __future__ import annotations

import math
import operator
import random
import weakref
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import checks
from ...datasets.idx import read_idx_split
from ...datasets.stream import StrPath
from ...errors import DivergenceError, FileFormatError, InvalidArgumentError, InvalidTypeError
from ...io.text_image import text_rows
from ...kernels import get_backend
from ...kernels.formulas import activate, target_rows, times_derivative
from ...kernels.params import Parameters, aligned_zeros
from ...kernels.spec import (
    RELU,
    SGD,
    SOFTMAX,
    Data,
    EpochArgs,
    FloatArray,
    IntArray,
    Net,
    Rule,
    layout,
)
from ...nn.fit import packed, run_epoch
from .neighbors import forget, knn, knn_batch

__all__ = [
    "LENGTH",
    "PIXEL",
    "WIDTH",
    "active_relu",
    "conver2one_hot",
    "fit",
    "fit_mse",
    "forget",
    "get_gradient",
    "knn",
    "knn_batch",
    "predict",
    "predict_mse",
    "pt_image",
    "read_pic",
    "set_random_seed",
    "set_randon_seed",
    "softmax",
]

CLASSES = 10
FLOAT64 = np.dtype(np.float64)

WEIGHTS = ("w1", "b1", "w2", "b2")

# Pixels, columns and rows of the images that read_pic read last, which sets them; before that, MNIST's.
PIXEL, WIDTH, LENGTH = 784, 28, 28

Weights = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


# Data


def set_random_seed(seed: int) -> None:
    """Seed Python's ``random``, from which ``read_pic`` draws, and ``numpy.random``, from which ``fit`` draws.

    Raises FastnnError for what is no integer from 0 to 2^32 - 1.
    """
    seed = checks.integer("seed", seed, low=0)
    if seed >= 2**32:
        raise InvalidArgumentError("seed", "an integer below 2^32", seed)
    random.seed(seed)
    np.random.seed(seed)


def set_randon_seed(seed: float | str | bytes | bytearray | None) -> None:
    """Seed Python's ``random`` alone, as many copies of such programs do, which spell it so.

    Raises InvalidTypeError for what ``random.seed`` does not take.
    """
    try:
        random.seed(seed)
    except TypeError:
        raise InvalidTypeError("seed", "an int, float, str, bytes or None", type(seed).__name__) from None


def read_pic(
    pic_num: int,
    label_path: StrPath = "./mnist/train-labels.idx1-ubyte",
    images_path: StrPath = "./mnist/train-images.idx3-ubyte",
) -> tuple[list[list[int]], list[int]]:
    """Draw ``pic_num`` images by ``random.sample`` from a pair of IDX files, raw or gzip.

    Returns the images, each a list of its pixels 0..255 row by row, and their labels, any bytes. Sets the module's
    LENGTH, WIDTH and PIXEL to the images' rows, columns and their product. Raises FileFormatError for other files, and
    FastnnError where they hold fewer images.
    """
    global PIXEL, WIDTH, LENGTH
    pic_num = checks.integer("pic_num", pic_num, low=0)
    images, labels = read_idx_split(images_path, label_path)
    if images.ndim != 3:
        raise FileFormatError(images_path, 3, "3 dimensions, images (n, rows, columns)", f"shape {images.shape}")
    if pic_num > len(images):
        raise InvalidArgumentError("pic_num", f"at most {len(images)}, the number of images", pic_num)
    _, LENGTH, WIDTH = images.shape
    PIXEL = LENGTH * WIDTH
    chosen = random.sample(range(len(images)), pic_num)
    return images.reshape(len(images), -1)[chosen].tolist(), labels[chosen].tolist()


def pt_image(image: ArrayLike) -> None:
    """Print an image, flattened or not, of pixels 0..255: a line of text a row, two characters a pixel.

    Text, as it needs no window and no matplotlib; a picture is ``matplotlib.pyplot.imshow``'s.
    """
    pixels = checks.numeric_array("image", image)
    side = math.isqrt(pixels.size)
    if not pixels.size or pixels.shape not in ((side * side,), (side, side)):
        raise InvalidArgumentError("image", "a square image, flattened or not", f"shape {pixels.shape}")
    if not ((pixels >= 0) & (pixels <= 255)).all():
        raise InvalidArgumentError("image", "pixels 0..255", f"{pixels.min()} to {pixels.max()}")
    for line in text_rows(pixels.reshape(side, side)):
        print(line)


def conver2one_hot(labels: ArrayLike) -> FloatArray:
    """Rows (n, 10) with 1.0 at the label, for labels (n,) of 0..9; what is one-hot already stays as it is.

    Labels may be whole floats, as ``np.loadtxt`` reads them.
    """
    array = checks.numeric_array("labels", labels)
    if not array.ndim:
        raise InvalidArgumentError("labels", "labels (n,)", "a single number")
    return _one_hot("labels", array, len(array))


def _one_hot(argument: str, labels: ArrayLike, count: int) -> FloatArray:
    targets = checks.targets(argument, labels, count, CLASSES, FLOAT64, rows_of="train_dataset")
    checks.blame_nonfinite(argument, targets)
    return target_rows(targets, slice(None), CLASSES, FLOAT64)


# The network


def active_relu(x: ArrayLike) -> FloatArray:
    """max(0, x), elementwise."""
    return activate(checks.numeric_array("x", x), RELU, 0)


def softmax(x: ArrayLike) -> FloatArray:
    """exp(x) / sum(exp(x)) along the last axis of x (n, outputs) or (outputs,), without overflow."""
    z = checks.numeric_array("x", x)
    if not z.ndim or not z.shape[-1]:
        raise InvalidArgumentError("x", "shape (n, outputs) or (outputs,)", f"shape {z.shape}")
    return activate(z.reshape(-1, z.shape[-1]).astype(np.float64), SOFTMAX, 0).reshape(z.shape)


class _Program(NamedTuple):
    """In what the two programs differ."""

    output: str
    loss: str
    divisor: float  # fit's inputs are pixels / divisor - offset
    offset: float


_CROSS_ENTROPY = _Program("softmax", "cross_entropy", 255.0, 0.0)
_SQUARED_ERROR = _Program("identity", "mean_squared_error", 127.5, 1.0)


def fit(train_dataset: ArrayLike, train_labels: ArrayLike, lr: float, epochs: int, hidden_node: int) -> Weights:
    """Train by gradient descent on the mean cross-entropy of all images and print the loss now and then.

    Parameters
    ----------
    train_dataset : images (n, pixels), flattened, as lists or an array of any numbers; they are divided by 255.
    train_labels : labels (n,) of 0..9, integers or whole floats, or one-hot rows (n, 10).
    lr, epochs, hidden_node : the learning rate, the number of updates and the size of the ReLU layer.

    Returns w1 (pixels, hidden_node), b1 (1, hidden_node), w2 (hidden_node, 10) and b2 (1, 10), float64. The weights
    are drawn from ``numpy.random.randn`` in this order, times sqrt(2 / inputs) (He et al. 2015); biases begin at zero.

    The line ``Epoch 10/200, Loss: 0.1234`` comes at epoch 1 and every tenth. The loss is measured before the epoch's
    update, with 1e-8 added to the probabilities inside the logarithm.

    Raises DivergenceError, with the last finite ``weights``, and FastnnError for unusable arguments.
    """
    return _fit(_CROSS_ENTROPY, train_dataset, train_labels, lr, epochs, hidden_node)


def fit_mse(train_dataset: ArrayLike, train_labels: ArrayLike, lr: float, epochs: int, hidden_node: int) -> Weights:
    """The same with a linear output and the mean squared error; pixels 0..255 are scaled to -1..1.

    The loss is the mean of (output - target)^2 over the images and their ten outputs, and the gradient is its own.
    """
    return _fit(_SQUARED_ERROR, train_dataset, train_labels, lr, epochs, hidden_node)


def predict(test_data: ArrayLike, w1: ArrayLike, b1: ArrayLike, w2: ArrayLike, b2: ArrayLike) -> IntArray:
    """The class with the largest output: int64 (1,) for one image (pixels,), (n,) for images (n, pixels).

    ``test_data`` goes into the network as it is. To get what ``fit`` trained for, divide pixels 0..255 by 255.

    The arrays that ``fit`` returned, edited or not, are used where they lie. Others are copied at every call, which
    takes longer than one image: call it for many at a time. Raises FastnnError for other shapes, NaN and infinity.
    """
    return _predict(_CROSS_ENTROPY, test_data, (w1, b1, w2, b2))


def predict_mse(test_data: ArrayLike, w1: ArrayLike, b1: ArrayLike, w2: ArrayLike, b2: ArrayLike) -> IntArray:
    """What :func:`predict` is to ``fit``, for :func:`fit_mse`, which trains for inputs 2 * pixels / 255 - 1."""
    return _predict(_SQUARED_ERROR, test_data, (w1, b1, w2, b2))


def get_gradient(loss: ArrayLike, wbs: Sequence[ArrayLike], vals: Sequence[ArrayLike]) -> list[FloatArray]:
    """The backward pass of the network of :func:`fit_mse`, for a training loop of one's own.

    Parameters
    ----------
    loss : dL/dy (n, outputs), the derivative of the loss by the network's outputs y, which for the mean squared error
        is 2 (y - target) / y.size.
    wbs : w1 (pixels, hidden), b1, w2 (hidden, outputs) and b2.
    vals : the forward pass: the inputs x (n, pixels), then x w1 + b1 (n, hidden) or its ReLU, which serve alike; what
        follows them is not needed.

    Returns dL/dw1, dL/db1 (1, hidden), dL/dw2 and dL/db2 (1, outputs), float64. Raises FastnnError for other shapes.
    """
    if len(wbs) != 4:
        raise InvalidArgumentError("wbs", "w1, b1, w2 and b2", f"{len(wbs)} of them")
    if len(vals) < 2:
        raise InvalidArgumentError("vals", "the inputs and the hidden layer's values", f"{len(vals)} of them")
    delta, w1 = _matrix("loss", loss), _matrix("wbs[0]", wbs[0])
    (n, outputs), (pixels, units) = delta.shape, w1.shape
    w2 = _matrix("wbs[2]", wbs[2], (units, outputs))
    x = _matrix("vals[0]", vals[0], (n, pixels))
    a = activate(_matrix("vals[1]", vals[1], (n, units)), RELU, 0)
    # y = a w2 + b2 and a = max(0, x w1 + b1)
    hidden_delta = times_derivative(delta @ w2.T, a, RELU, 0)
    return [x.T @ hidden_delta, hidden_delta.sum(0, keepdims=True), a.T @ delta, delta.sum(0, keepdims=True)]


def _matrix(argument: str, values: ArrayLike, shape: tuple[int, int] | None = None) -> FloatArray:
    """An array of two dimensions, or of this shape, as float64."""
    array = checks.numeric_array(argument, values)
    if array.ndim != 2 or array.shape != (shape or array.shape):
        raise InvalidArgumentError(argument, f"shape {shape}" if shape else "two dimensions", f"shape {array.shape}")
    return array.astype(FLOAT64)


def _fit(
    program: _Program, train_dataset: ArrayLike, train_labels: ArrayLike, lr: float, epochs: int, hidden_node: int
) -> Weights:
    images = checks.pixels("train_dataset", train_dataset)
    if images.ndim != 2 or not images.size:
        raise InvalidArgumentError("train_dataset", "at least one flattened image, (n, d)", f"shape {images.shape}")
    checks.blame_nonfinite("train_dataset", images)
    data = Data(*_inputs(program, images), _one_hot("train_labels", train_labels, len(images)))
    lr = checks.number("lr", lr, low=0)
    epochs = checks.integer("epochs", epochs, low=0)
    hidden_node = checks.integer("hidden_node", hidden_node, low=1)

    parameters = _zeros(program, (images.shape[1], hidden_node, CLASSES))
    net, vector = parameters.net, parameters.vector
    weights = _views(parameters)
    for drawn in weights[::2]:
        drawn[:] = np.random.randn(*drawn.shape) * math.sqrt(2 / len(drawn))
    data = packed(data, net, epochs, len(images))
    state, args = np.empty((0, vector.size)), EpochArgs(np.arange(len(images)), len(images), Rule(SGD, lr))
    for epoch in range(1, epochs + 1):
        shown = epoch == 1 or epoch % 10 == 0
        # the printed loss is that before the update
        outputs = _outputs(parameters, data.dense, data.scale)[0] if shown else None
        try:
            run_epoch(net, vector, state, data, args)
        except DivergenceError:
            message = f"epoch {epoch}: expected a finite loss and finite weights, found NaN or infinity (lr {lr:g})"
            raise DivergenceError(message, weights) from None
        if outputs is not None:
            print(f"Epoch {epoch}/{epochs}, Loss: {_loss(program, outputs, data.y):.4f}")
    _remember(parameters, weights)
    return weights


def _loss(program: _Program, outputs: FloatArray, targets: FloatArray) -> float:
    """What such programs print."""
    if program is _SQUARED_ERROR:
        return float(np.mean(np.square(outputs - targets)))
    return -float(np.mean(np.sum(targets * np.log(outputs + 1e-8), axis=1)))


def _predict(program: _Program, test_data: ArrayLike, weights: Sequence[ArrayLike]) -> IntArray:
    images = checks.pixels("test_data", test_data)
    parameters = _known(weights) or _copied(program, weights)
    X, scale = checks.sample_or_rows("test_data", images, int(parameters.net.sizes[0]), FLOAT64)
    outputs, finite = _outputs(parameters, X, scale)
    if not finite:
        for name, values in zip(("test_data", *WEIGHTS), (images, *weights), strict=True):
            checks.blame_nonfinite(name, np.asarray(values))
        raise InvalidArgumentError("test_data", "images and weights with finite outputs", "NaN or infinity")
    return outputs.argmax(axis=1)


def _inputs(program: _Program, images: NDArray[Any]) -> checks.Inputs:
    if images.dtype == np.uint8 and not program.offset:
        return checks.Inputs(checks.for_kernels(images), 1 / program.divisor)
    X = images / program.divisor
    if program.offset:
        X -= program.offset
    return checks.Inputs(checks.for_kernels(X, FLOAT64), 1.0)


def _outputs(parameters: Parameters, X: NDArray[Any], scale: float) -> tuple[FloatArray, bool]:
    """The outputs (n, classes), and whether all are finite."""
    out = np.empty((len(X), int(parameters.net.sizes[-1])))
    return out, get_backend().forward(parameters.net, parameters.vector, X, scale, out)


# Parameters: one vector, of which the caller has views


@lru_cache(maxsize=16)
def _layout(program: _Program, sizes: tuple[int, ...]) -> tuple[Net, int]:
    return layout(sizes, ["relu", program.output], program.loss, True, FLOAT64)


def _zeros(program: _Program, sizes: tuple[int, ...]) -> Parameters:
    net, count = _layout(program, sizes)
    return Parameters(net, aligned_zeros(count, FLOAT64))


def _views(parameters: Parameters) -> Weights:
    (w1, w2), (b1, b2) = parameters.weights, parameters.biases
    return w1, b1[np.newaxis], w2, b2[np.newaxis]


class _Known(NamedTuple):
    """What ``fit`` has returned views of."""

    parameters: Parameters
    others: tuple[FloatArray, ...]  # the views b1, w2, b2


_fitted: dict[int, _Known] = {}  # by the id of w1, as long as that lives


def _remember(parameters: Parameters, weights: Weights) -> None:
    """Let ``predict`` know these views again, for to copy all weights takes longer than the outputs of an image."""
    w1, *others = weights
    _fitted[id(w1)] = _Known(parameters, tuple(others))
    weakref.finalize(w1, _fitted.pop, id(w1), None)


def _known(weights: Sequence[ArrayLike]) -> Parameters | None:
    w1, *others = weights
    known = _fitted.get(id(w1))
    return known.parameters if known and all(map(operator.is_, known.others, others)) else None


def _copied(program: _Program, weights: Sequence[ArrayLike]) -> Parameters:
    arrays = [np.atleast_2d(checks.numeric_array(*named)) for named in zip(WEIGHTS, weights, strict=True)]
    w1, _, w2, _ = arrays
    for name, array in (("w1", w1), ("w2", w2)):
        if array.ndim != 2 or not array.size:
            raise InvalidArgumentError(name, "shape (inputs, outputs)", f"shape {array.shape}")
    parameters = _zeros(program, (*w1.shape, w2.shape[1]))
    for name, array, view in zip(WEIGHTS, arrays, _views(parameters), strict=True):
        if array.shape != view.shape:
            raise InvalidArgumentError(name, f"shape {view.shape}", f"shape {array.shape}")
        view[:] = array
    return parameters
