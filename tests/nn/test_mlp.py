"""MLP: construction, parameters, inputs, copies."""

from __future__ import annotations

import copy
import pickle

import naive
import numpy as np
import pytest
from problems import EPSILON, naive_network

from fastnn import MLP
from fastnn.errors import FastnnError, InvalidArgumentError, InvalidTypeError

ACTIVATIONS = (
    *("identity", "sigmoid", "tanh", "relu", "leaky_relu", "softmax"),
    *("elu", "selu", "gelu", "silu", "softplus", "softsign", "hard_sigmoid", "exponential"),
)
ONE_OF_ALL = f"expected one of {', '.join(ACTIVATIONS)}, found"
ONE_OF_HIDDEN = ONE_OF_ALL.replace(" softmax,", "")


def close(found, expected, units=16):
    found = np.asarray(found)
    limit = units * EPSILON[str(found.dtype)] * np.abs(expected).max()
    return found.shape == np.shape(expected) and np.abs(found - expected).max() <= limit


# ---- construction


@pytest.mark.parametrize(
    ("outputs", "output", "loss", "resolved"),
    [
        (3, None, None, ("softmax", "cross_entropy")),
        (1, None, None, ("sigmoid", "binary_cross_entropy")),
        (3, "softmax", None, ("softmax", "cross_entropy")),
        (3, "sigmoid", None, ("sigmoid", "binary_cross_entropy")),
        (3, "identity", None, ("identity", "mean_squared_error")),
        (3, "tanh", None, ("tanh", "mean_squared_error")),
        (1, "relu", None, ("relu", "mean_squared_error")),
        (1, "leaky_relu", None, ("leaky_relu", "mean_squared_error")),
        (3, "exponential", None, ("exponential", "poisson")),
        (3, None, "poisson", ("exponential", "poisson")),
        (3, None, "huber", ("identity", "huber")),
        (3, None, "cross_entropy", ("softmax", "cross_entropy")),
        (3, None, "binary_cross_entropy", ("sigmoid", "binary_cross_entropy")),
        (3, None, "quadratic", ("sigmoid", "quadratic")),
        (3, None, "mean_squared_error", ("identity", "mean_squared_error")),
        *((3, output, loss, (output, loss)) for output in ACTIVATIONS for loss in ("quadratic", "mean_squared_error")),
    ],
)
def test_output_and_loss_follow_each_other(outputs, output, loss, resolved):
    model = MLP([2, outputs], output=output, loss=loss)
    assert (model.activations[-1], model.loss) == resolved
    assert model.is_classifier == (resolved[0] in ("softmax", "sigmoid"))


def test_defaults():
    model = MLP([4, 5, 6, 3])
    assert model.activations == ("sigmoid", "sigmoid", "softmax")
    assert model.dtype == np.float32
    assert model.init == "glorot"
    assert len(model.biases) == 3
    assert MLP([4, 5, 6, 3], activation=["tanh", "relu"]).activations == ("tanh", "relu", "softmax")
    assert repr(model) == "MLP(4-5-6-3 sigmoid-softmax, cross_entropy, float32, 82 parameters)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": "784"}, "sizes: expected a sequence of layer sizes such as [784, 30, 10], found str"),
        ({"sizes": 3}, "sizes: expected a sequence of layer sizes such as [784, 30, 10], found int"),
        ({"sizes": np.array(3)}, "sizes: expected a sequence of layer sizes such as [784, 30, 10], found ndarray"),
        ({"sizes": []}, "sizes: expected at least an input and an output size, found 0 of them"),
        ({"sizes": [3]}, "sizes: expected at least an input and an output size, found 1 of them"),
        ({"sizes": [3, 0]}, "sizes[1]: expected an integer of at least 1, found 0"),
        ({"sizes": [-3, 2]}, "sizes[0]: expected an integer of at least 1, found -3"),
        ({"sizes": [3, 2.0]}, "sizes[1]: expected an integer, found float"),
        ({"sizes": [3, True]}, "sizes[1]: expected an integer, found bool"),
        ({"sizes": [3, [2]]}, "sizes[1]: expected an integer, found list"),
        ({"sizes": [10**20, 2]}, f"sizes: expected a network that fits in memory, found [{10**20}, 2]"),
        ({"sizes": [10**9, 10**10]}, f"sizes: expected a network that fits in memory, found [{10**9}, {10**10}]"),
        ({"sizes": [10**9, 10**9]}, f"sizes: expected a network that fits in memory, found [{10**9}, {10**9}]"),
        ({"activation": "swish"}, f"activation: {ONE_OF_HIDDEN} 'swish'"),
        ({"activation": "softmax"}, f"activation: {ONE_OF_HIDDEN} 'softmax'"),
        ({"activation": ["tanh", "tanh"]}, "activation: expected 1 names, one per hidden layer, found 2"),
        ({"activation": ["mish"]}, f"activation[0]: {ONE_OF_HIDDEN} 'mish'"),
        ({"activation": None}, "activation: expected a name or one name per hidden layer, found NoneType"),
        ({"activation": [1]}, f"activation[0]: {ONE_OF_HIDDEN} int"),
        ({"output": "logits"}, f"output: {ONE_OF_ALL} 'logits'"),
        ({"output": 1}, f"output: {ONE_OF_ALL} int"),
        (
            {"loss": "hinge"},
            "loss: expected one of quadratic, mean_squared_error, binary_cross_entropy, cross_entropy,",
        ),
        ({"loss": "cross_entropy", "output": "sigmoid"}, "output: expected 'softmax' for loss 'cross_entropy', found"),
        ({"loss": "binary_cross_entropy", "output": "tanh"}, "output: expected 'sigmoid' for loss 'binary_cross_ent"),
        ({"sizes": [3, 1], "output": "softmax"}, "output: expected at least two outputs for softmax (or output='sigm"),
        ({"init": "zeros"}, "init: expected one of normal, normal_scaled, rashid, he, glorot, truncated_normal, found"),
        (
            {"init": None},
            "init: expected one of normal, normal_scaled, rashid, he, glorot, truncated_normal, found None",
        ),
        ({"bias": "yes"}, "bias: expected True or False, found str"),
        ({"dtype": "float16"}, "dtype: expected 'float32' or 'float64', found 'float16'"),
        ({"dtype": ">f4"}, "dtype: expected 'float32' or 'float64', found '>f4'"),
        ({"dtype": "real"}, "dtype: expected 'float32' or 'float64', found 'real'"),
        ({"seed": -1}, "seed: expected an integer >= 0, a numpy Generator or None, found -1"),
        ({"seed": "one"}, "seed: expected an integer >= 0, a numpy Generator or None, found 'one'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(FastnnError) as caught:
        MLP(**{"sizes": [3, 4, 2], **arguments})
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, ValueError | TypeError)


# ---- parameters


def test_weights_and_biases_are_writable_views(backend):
    model = MLP([3, 20, 2], dtype="float64", seed=0)
    assert [w.shape for w in model.weights] == [(3, 20), (20, 2)]
    assert [b.shape for b in model.biases] == [(20,), (2,)]
    for view in model.weights + model.biases:
        assert np.shares_memory(view, model.params)
    x = np.array([[1.0, -2.0, 3.0]])
    before = model.forward(x)
    model.weights[1][5, 0] += 1
    model.biases[1][1] = -4
    after = model.forward(x)
    assert (after != before).all()
    assert close(after, [naive.forward(naive_network(model), x[0].tolist())])


def test_parameters_may_be_replaced():
    model, rng = MLP([3, 4, 2], seed=0), np.random.default_rng(0)
    params = model.params
    weights = [rng.normal(size=(3, 4)), np.asfortranarray(rng.normal(size=(4, 2)))]
    model.weights, model.biases = weights, [[1, 2, 3, 4], (5, 6)]
    assert model.params is params
    for view, value in zip(model.weights, weights, strict=True):
        assert (view == value.astype(np.float32)).all()
    assert model.biases[0].tolist() == [1, 2, 3, 4]
    assert model.biases[1].tolist() == [5, 6]


def test_parameters_may_be_replaced_by_one_another():
    model = MLP([3, 3, 3], seed=0)
    first, second = (w.copy() for w in model.weights)
    model.weights = (model.weights[1], model.weights[0].T)
    assert (model.weights[0] == second).all()
    assert (model.weights[1] == first.T).all()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("weights", [np.zeros((3, 4))], "weights: expected 2 arrays, one per layer, found 1"),
        ("weights", 5, "weights: expected 2 arrays, one per layer, found int"),
        ("weights", [np.zeros((4, 3)), np.zeros((4, 2))], "weights[0]: expected shape (3, 4), found shape (4, 3)"),
        ("weights", [np.zeros((3, 4)), np.zeros(8)], "weights[1]: expected shape (4, 2), found shape (8,)"),
        ("weights", [np.zeros((3, 4)), "ab"], "weights[1]: expected an array of real numbers, found dtype <U2"),
        ("weights", [[[1, 2], [3]], 0], "weights[0]: expected a rectangular array of numbers, found "),
        ("biases", [np.zeros(4), np.zeros(3)], "biases[1]: expected shape (2,), found shape (3,)"),
        ("biases", [np.zeros(4), np.zeros(2) * 1j], "biases[1]: expected an array of real numbers, found dtype comp"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_parameters_change_nothing(name, values, message):
    model = MLP([3, 4, 2], seed=0)
    before = model.params.copy()
    with pytest.raises(FastnnError) as caught:
        setattr(model, name, values)
    assert str(caught.value).startswith(message)
    assert (model.params == before).all()


def test_without_biases():
    model = MLP([3, 4, 2], activation="tanh", bias=False, seed=0)
    assert model.biases == ()
    assert close(model.forward([0, 0, 0]), [0.5, 0.5])
    with pytest.raises(InvalidArgumentError, match="biases: expected 0 arrays"):
        model.biases = [np.zeros(4), np.zeros(2)]


# ---- inputs


@pytest.mark.quick("backend")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward_takes_any_array_of_rows(backend, dtype, tmp_path):
    model = MLP([6, 5, 3], dtype=dtype, seed=0)
    X = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)  # a value of either type
    expected = model.forward(X)
    assert expected.dtype == dtype
    assert close(expected, [naive.forward(naive_network(model), row) for row in X.astype(float).tolist()])
    read_only = X.copy()
    read_only.flags.writeable = False
    X.tofile(tmp_path / "X")
    memory_mapped = np.memmap(tmp_path / "X", np.float32, "r", shape=X.shape)
    wide = np.zeros((18, 12), np.float32)
    wide[::2, ::2] = X
    for same in (
        X.astype(np.float64),
        np.asfortranarray(X),
        read_only,
        memory_mapped,
        X.tolist(),
        wide[::2, ::2],
        X.astype(">f4"),
        X.astype(">f8"),
    ):
        assert (model.forward(same) == expected).all()
    assert close(model.forward(X[4]), expected[4])
    assert model.forward(X[4]).shape == (3,)
    assert model.forward(X[:0]).shape == (0, 3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_are_images_scaled_to_one(backend, dtype, tmp_path):
    model = MLP([50, 5, 3], dtype=dtype, seed=0)
    images = np.random.default_rng(0).integers(0, 256, (9, 50)).astype(np.uint8)
    images.tofile(tmp_path / "X")
    memory_mapped = np.memmap(tmp_path / "X", np.uint8, "r", shape=images.shape)
    expected = model.forward(images)
    assert close(expected, model.forward(images / 255))
    for same in (memory_mapped, np.asfortranarray(images)):
        assert (model.forward(same) == expected).all()


def test_other_integers_and_booleans_are_numbers():
    model = MLP([2, 3], seed=0)
    expected = model.forward([[1.0, 0.0]])
    for dtype in (np.int64, np.int8, np.uint16, bool, np.float16):
        assert (model.forward(np.array([[1, 0]], dtype)) == expected).all()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 4)), "X: expected shape (n, 5), found shape (3, 4)"),
        (np.zeros(4), "X: expected shape (n, 5), found shape (1, 4)"),
        (np.zeros((2, 5, 1)), "X: expected shape (n, 5), found shape (2, 5, 1)"),
        (3.0, "X: expected shape (n, 5), found shape ()"),
        ([[1, 2], [3]], "X: expected a rectangular array of numbers, found "),
        (np.ma.masked_greater([[1.0, 2.0]], 1), "X: expected an array of which nothing is masked, found 1 masked"),
        ([["a", "b", "c", "d", "e"]], "X: expected an array of real numbers, found dtype <U1"),
        ([[None] * 5], "X: expected an array of real numbers, found dtype object"),
        (np.zeros((3, 5), complex), "X: expected an array of real numbers, found dtype complex128"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("method", ["forward", "predict", "predict_proba"])
def test_bad_rows_are_named(method, X, message):
    with pytest.raises(FastnnError) as caught:
        getattr(MLP([5, 3], seed=0), method)(X)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_blamed(backend, bad):
    X = np.ones((5000, 2))
    X[4321, 1] = bad
    for activation in ("identity", "leaky_relu"):  # an infinity may vanish in the others
        with pytest.raises(
            InvalidArgumentError, match=rf"X: expected finite numbers, found {bad} at index \(4321, 1\)"
        ):
            MLP([2, 4, 3], activation=activation, output="identity", seed=0).forward(X)


# ---- copies


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_copy_is_equal_aligned_and_its_own(duplicate, dtype):
    X, y = np.random.default_rng(0).normal(size=(20, 5)), np.arange(20) % 3
    model = MLP([5, 7, 3], dtype=dtype, seed=0)
    model.fit(X, y, epochs=1)
    twin = duplicate(model)
    assert twin.params.ctypes.data % 64 == 0
    assert (twin.params == model.params).all()
    assert (twin.forward(X) == model.forward(X)).all()
    assert repr(twin) == repr(model)
    before = model.params.copy()
    twin.weights[0][:] = 0
    twin.fit(X, y, epochs=1)
    assert (model.params == before).all()


def test_a_deep_copy_trains_as_the_original_would():
    X, y = np.random.default_rng(0).normal(size=(20, 5)), np.arange(20) % 3
    model = MLP([5, 7, 3], seed=0)
    model.fit(X, y, epochs=1)
    twin = copy.deepcopy(model)
    assert model.fit(X, y, batch_size=3).loss == twin.fit(X, y, batch_size=3).loss
    assert (model.params == twin.params).all()


def test_errors_are_of_the_builtin_kinds_too():
    with pytest.raises(ValueError, match="sizes"):
        MLP([3])
    with pytest.raises(TypeError, match="sizes"):
        MLP(3)
    assert issubclass(InvalidTypeError, FastnnError)
