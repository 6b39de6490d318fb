"""Losses of fastnn.dropin.keras: of arrays, and in training, against differences of Keras' formulas."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import layers, losses, models, optimizers, scores

RNG = np.random.default_rng(3)
X = RNG.normal(size=(30, 4))
LABELS = RNG.integers(0, 3, 30)
ONE_HOT = np.eye(3)[LABELS]
SOFT = RNG.dirichlet([1, 1, 1], 30)
REAL = RNG.normal(size=(30, 3)) * 2
COUNTS = RNG.poisson(2.0, (30, 3)).astype(float)


@pytest.fixture(autouse=True)
def _float64(monkeypatch):
    monkeypatch.setattr(losses, "_warned", set())
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


# loss, last activation, targets, Keras' formula of targets and outputs
TRAINED = [
    ("mse", "tanh", REAL, scores.mean_squared_error),
    ("mean_squared_error", "softmax", ONE_HOT, scores.mean_squared_error),
    ("mae", None, REAL, scores.mean_absolute_error),
    (losses.MeanAbsoluteError(), "softplus", REAL, scores.mean_absolute_error),
    ("huber", None, REAL, scores.huber),
    (losses.Huber(), "elu", REAL, scores.huber),
    ("poisson", "exponential", COUNTS, scores.poisson),
    ("poisson", "softplus", COUNTS, scores.poisson),
    ("categorical_crossentropy", "softmax", SOFT, scores.categorical_crossentropy),
    ("categorical_crossentropy", "sigmoid", SOFT, scores.categorical_crossentropy),
    ("categorical_crossentropy", "softplus", ONE_HOT, scores.categorical_crossentropy),
    ("sparse_categorical_crossentropy", "softmax", LABELS, scores.sparse_categorical_crossentropy),
    ("sparse_categorical_crossentropy", "sigmoid", LABELS, scores.sparse_categorical_crossentropy),
    ("binary_crossentropy", "sigmoid", SOFT, scores.binary_crossentropy),
    ("binary_crossentropy", "softmax", ONE_HOT, scores.binary_crossentropy),
    ("bce", None, SOFT, scores.binary_crossentropy),
    (losses.mean_squared_error, None, REAL, scores.mean_squared_error),
    (losses.binary_crossentropy, "sigmoid", ONE_HOT, scores.binary_crossentropy),
    (
        losses.CategoricalCrossentropy(label_smoothing=0.2),
        "softmax",
        ONE_HOT,
        lambda y, p: scores.categorical_crossentropy(y, p, label_smoothing=0.2),
    ),
    (
        losses.BinaryCrossentropy(label_smoothing=0.2),
        "sigmoid",
        ONE_HOT,
        lambda y, p: scores.binary_crossentropy(y, p, label_smoothing=0.2),
    ),
    (
        losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        None,
        ONE_HOT,
        lambda y, p: scores.categorical_crossentropy(y, p, from_logits=True, label_smoothing=0.1),
    ),
    (
        losses.SparseCategoricalCrossentropy(from_logits=True),
        None,
        LABELS,
        lambda y, p: scores.sparse_categorical_crossentropy(y, p, from_logits=True),
    ),
    (
        losses.BinaryCrossentropy(from_logits=True),
        None,
        ONE_HOT,
        lambda y, p: scores.binary_crossentropy(y, p, from_logits=True),
    ),
]


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize(
    ("loss", "activation", "y", "formula"),
    TRAINED,
    ids=[
        f"{getattr(loss, 'name', getattr(loss, '__name__', loss))}-{activation}-{i}"
        for i, (loss, activation, *_) in enumerate(TRAINED)
    ],
)
def test_an_update_goes_down_the_slope_of_the_loss_shown(loss, activation, y, formula, backend):
    keras.utils.set_random_seed(5)
    model = models.Sequential([layers.Dense(3, activation, input_dim=4, bias_initializer="normal")])
    model.compile(optimizers.SGD(1.0), loss)
    weights = np.linspace(0.2, 2, 30)
    before = model.get_weights()

    def shown():
        return float((formula(y, model.predict(X, verbose=0)) * weights).mean())

    with fastnn.use(backend):
        assert model.evaluate(X, y, verbose=0, sample_weight=weights) == pytest.approx(shown(), rel=1e-9)
        expected = []
        for array in model.weights:
            slope = np.empty_like(array)
            for index in np.ndindex(array.shape):
                start, values = array[index], []
                for step in (1e-6, -1e-6):
                    array[index] = start + step
                    values.append(shown())
                array[index] = start
                slope[index] = (values[0] - values[1]) / 2e-6
            expected.append(slope)
        assert model.train_on_batch(X, y, sample_weight=weights) == pytest.approx(shown_before(model, before, shown))
    for array, start, slope in zip(model.get_weights(), before, expected, strict=True):
        np.testing.assert_allclose(start - array, slope, rtol=1e-6, atol=1e-8)


def shown_before(model, before, shown):
    after = model.get_weights()
    model.set_weights(before)
    loss = shown()
    model.set_weights(after)
    return loss


def test_losses_of_arrays():
    y, p = np.array([1, 0]), np.array([[0.25, 0.75], [0.5, 0.5]])
    loss = losses.SparseCategoricalCrossentropy()
    assert loss(y, p).numpy() == pytest.approx(-(np.log(0.75) + np.log(0.5)) / 2)
    each = losses.SparseCategoricalCrossentropy(reduction="none")(y, p)
    np.testing.assert_allclose(each.numpy(), [-np.log(0.75), -np.log(0.5)])
    assert losses.SparseCategoricalCrossentropy(reduction="sum")(y, p) == pytest.approx(float(each.sum()))
    assert loss(y, p, sample_weight=[2, 0]) == pytest.approx(-np.log(0.75))
    assert losses.MeanSquaredError()([[0.0, 1.0]], [[1.0, 1.0]]).numpy() == 0.5
    np.testing.assert_allclose(losses.mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]]), [0.5])
    assert losses.MAE is losses.mae is losses.mean_absolute_error
    np.testing.assert_allclose(losses.mape(np.array([[2.0]]), np.array([[1.0]])), [50])
    logits = np.array([[0.0, np.log(3)]])
    from_logits = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert from_logits(np.array([1]), logits).numpy() == pytest.approx(-np.log(0.75))


def test_descriptions_of_losses():
    for name in losses.CLASSES:
        first = losses.get(name)
        again = losses.get(losses.serialize(first))
        assert (type(again), again.get_config()) == (type(first), first.get_config())
        assert losses.get(type(first).function).get_config() == first.get_config()
        assert pickle.loads(pickle.dumps(copy.deepcopy(first))).get_config() == first.get_config()
    assert [losses.get(name).name for name in ("mse", ["MAE"], "huber")] == [
        "mean_squared_error",
        "mean_absolute_error",
        "huber_loss",
    ]


def test_probabilities_that_are_called_logits():
    keras.utils.set_random_seed(1)
    first = models.Sequential([layers.Dense(3, "softmax", input_dim=4)])
    second = copy.deepcopy(first)
    first.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match="is given from_logits=True, but the outputs are no logits"):
        second.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True))
    assert second.evaluate(X, LABELS, verbose=0) == first.evaluate(X, LABELS, verbose=0)


def test_one_probability_of_softmax():
    """It is 1 whatever the inputs: a mistake that programs make, and that Keras runs."""
    model = models.Sequential([layers.Dense(1, "softmax", input_dim=4)])
    with pytest.warns(UserWarning, match="softmax of one output is always 1"):
        model.compile("sgd", "binary_crossentropy", ["accuracy"])
    before = model.get_weights()
    model.fit(X, LABELS % 2, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_classes_are_predicted():
    model = models.Sequential([layers.Dense(3, "softmax", input_dim=4)])
    probabilities = model.predict_proba(X)
    assert (probabilities == model.predict(X, verbose=0)).all()
    assert (model.predict_classes(X) == probabilities.argmax(axis=1)).all()
    model = models.Sequential([layers.Dense(1, "sigmoid", input_dim=4)])
    classes = model.predict_classes(X, batch_size=10, verbose=0)
    assert (classes.shape, classes.dtype) == ((30, 1), np.int32)
    assert (classes == (model.predict(X, verbose=0) > 0.5)).all()


def test_epochs_of_keras_1():
    model = models.Sequential([layers.Dense(3, input_dim=4)])
    model.compile("sgd", "mse")
    assert model.fit(X, REAL, batch_size=10, nb_epoch=3, verbose=0, workers=4).epoch == [0, 1, 2]


def test_the_accuracy_is_shown_as_before_keras_1():
    model = models.Sequential([layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", class_mode="categorical")
    labels = np.arange(len(X)) % 2
    assert list(model.fit(X, labels, nb_epoch=1, show_accuracy=True, verbose=0).history) == ["acc", "loss"]
    assert len(model.evaluate(X, labels, show_accuracy=True, verbose=0)) == 2


WRONG = [
    (lambda: losses.get("hinge"), "loss: expected one of binary_crossentropy, .*, found 'hinge'"),
    (lambda: losses.get(lambda y, p: 0), "loss: expected one of binary_crossentropy"),
    (lambda: losses.get(None), "loss: expected one of binary_crossentropy"),
    (lambda: losses.Huber(delta=2.0), "delta: expected 1, the one there is in fastnn, found 2.0"),
    (lambda: losses.MeanSquaredError(reduction="some"), "reduction: expected one of sum_over_batch_size"),
    (lambda: losses.SparseCategoricalCrossentropy(ignore_class=1), "ignore_class: expected no such option of Sparse"),
    (lambda: losses.BinaryCrossentropy(axis=0), "axis: expected no such option of BinaryCrossentropy"),
    (
        lambda: models.Sequential([layers.Dense(2, input_dim=2)]).compile(
            "sgd", losses.MeanSquaredError(reduction="sum")
        ),
        "loss: expected one whose reduction is 'sum_over_batch_size', to train, found 'sum'",
    ),
    (
        lambda: models.Sequential([layers.Dense(2, "relu", input_dim=2)]).compile(
            "sgd", losses.CategoricalCrossentropy(from_logits=True)
        ),
        r"loss: expected linear outputs for CategoricalCrossentropy\(from_logits=True\), found relu ones",
    ),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message[:30] for _, message in WRONG])
def test_one_clear_error(call, message):
    with pytest.raises(fastnn.FastnnError, match=message):
        call()
