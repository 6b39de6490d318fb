"""What is not in this part of Keras, and what nobody can use: each is one FastnnError that names it."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import layers, losses, models, optimizers

X = np.random.default_rng(0).random((20, 6), np.float32)
LABELS = np.arange(20) % 3


def model_of(output="softmax", units=3, loss="sparse_categorical_crossentropy", metrics=("accuracy",), optimizer="sgd"):
    model = models.Sequential([layers.Input((6,)), layers.Dense(4, "relu"), layers.Dense(units, output)])
    model.compile(optimizer, loss, list(metrics))
    return model


def test_everything_that_is_here_can_be_imported():
    for module in (keras, *(getattr(keras, name) for name in keras.__all__)):
        for name in getattr(module, "__all__", ()):
            assert getattr(module, name) is not None


CALLS = [
    # layers
    (lambda: layers.Dense(0), "units: expected an integer of at least 1, found 0"),
    (lambda: layers.Dense(2.0), "units: expected an integer"),
    (lambda: layers.Dense(2, "rellu"), "activation: expected one of linear, relu, .*, found 'rellu'"),
    (lambda: layers.Dense(2, np.tanh), "activation: expected one of linear, relu"),
    (lambda: layers.Dense(2, trainable=False), "trainable: expected no such option of Dense"),
    (lambda: layers.Dense(2, dtype="float16"), "dtype: expected no such option of Dense"),
    (lambda: layers.Dense(2, input_shape=784), "input_shape: expected a shape such as"),
    (lambda: layers.Dense(2, input_shape=(None, 3)), r"input_shape\[0\]: expected an integer, found NoneType"),
    (lambda: layers.Dense(2, name=3), "name: expected a string"),
    (lambda: setattr(layers.Dense(2), "trainable", False), "trainable: expected no such option"),
    (lambda: layers.Dropout(1), "rate: expected a finite number at least 0 and below 1"),
    (lambda: layers.Dropout(0.5, noise_shape=(1,)), "noise_shape: expected no such option of Dropout"),
    (lambda: layers.Flatten(data_format="channels_first"), "data_format: expected no such option of Flatten"),
    (lambda: layers.Input(), "shape: expected a shape such as"),
    (lambda: layers.Input(()), "input_shape: expected a shape such as"),
    (lambda: layers.Input((3,), sparse=True), "sparse: expected no such option of InputLayer"),
    (lambda: layers.Dense(2)(X), "dense.*, a layer called with an array and in no model, is not in"),
    (lambda: layers.Dense(2)([layers.Input((3,)), layers.Input((3,))]), "one chain of layers, found several inputs"),
    (lambda: layers.Input((3,)) + 1, "one chain of layers, found arithmetic with a layer's outputs"),
    (lambda: layers.LeakyReLU(-0.1), "negative_slope: expected a finite number at least 0, found -0.1"),
    (lambda: layers.ELU("a"), "alpha: expected a number, found str"),
    (lambda: keras.activations.leaky_relu(X, -1), "negative_slope: expected a finite number at least 0, found -1"),
    (lambda: layers.ReLU(max_value=6), "max_value: expected no such option of ReLU"),
    (lambda: layers.Reshape((5,))(layers.Input((6,))), "reshape.*: expected a shape of 6 elements"),
    (lambda: models.Sequential([layers.Input((3,)), layers.ReLU(), layers.Dense(2)]), "a Dense layer before it"),
    (
        lambda: models.Sequential([layers.Dense(2, "tanh", input_dim=3), layers.Activation("relu")]),
        "activation.*: expected one activation of each Dense layer, found tanh, then relu",
    ),
    (
        lambda: models.Sequential([layers.Dense(2, input_dim=3), layers.Dropout(0.5), layers.Activation("tanh")]),
        "expected tanh before Dropout, not after it",
    ),
    # models
    (lambda: models.Sequential(layers.Dense(2)), "layers: expected a list of layers, found Dense"),
    (lambda: models.Sequential([3]), "layer: expected a layer of fastnn.dropin.keras.layers, found int"),
    (lambda: models.Sequential([layers.Dense(2), layers.Input((3,))]), "layer: expected an Input before all other"),
    (lambda: models.Sequential([layers.Dense(2, name="a"), layers.Flatten(name="a")]), "a name that no other layer"),
    (lambda: models.Sequential([layers.Input((5,)), *model_of().layers]), r"expected inputs \(n, 6\), as before"),
    (
        lambda: models.Sequential([layers.Dense(2, input_dim=6), *[layers.Flatten(name="f")] * 2]),
        "each layer once in a model",
    ),
    (
        lambda: models.Model(layers.Input((3,)), layers.Input((3,))),
        "outputs: expected what layers make of keras_tensor",
    ),
    (lambda: models.Model([layers.Input((3,))] * 2, layers.Input((3,))), "found 2 tensors for inputs"),
    (lambda: models.Model(), "inputs: expected a symbolic tensor"),
    (lambda: models.Sequential([layers.Input((2, 3)), layers.Dense(2)]), r"a Flatten before it, found \(n, 2, 3\)"),
    (lambda: models.Sequential(trainable=False), "trainable: expected no such option of Sequential"),
    (lambda: models.Sequential([layers.Dense(2)]).build((3,)), "input_shape: expected a shape such as"),
    (lambda: model_of().build((None, 7)), r"input_shape: expected \(6,\), as before, found \(7,\)"),
    (lambda: models.Sequential([layers.Flatten()]).predict(X), "layers: expected at least one Dense layer"),
    (
        lambda: models.Sequential([layers.Input((10**6,)), layers.Dense(10**12)]),
        "layers: expected a network that fits in memory",
    ),
    (lambda: model_of()(X[:, :5]), r"x: expected shape \(n, 6\)"),
    (lambda: model_of().summary(line_length=20), "line_length: expected an integer of at least 50"),
    (lambda: model_of().set_weights([1, 2]), "weights: expected 4 arrays"),
    (lambda: model_of().set_weights([X, X, X, X]), r"weights\[0\]: expected shape \(6, 4\), found shape \(20, 6\)"),
    # compile
    (lambda: models.Sequential([layers.Dense(2)]).fit(X, LABELS), r"You must call `compile\(\)`"),
    (lambda: model_of(metrics=["f2"]), "metrics: expected a metric of fastnn's part of Keras, found 'f2'"),
    (lambda: model_of(metrics=[3]), "metrics: expected the name of a metric, a metric or a function, found int"),
    (lambda: model_of().compile("sgd", "mse", metrics={1, 2}), "metrics: expected a list of metrics, .*, found set"),
    (lambda: model_of(metrics=["mae"]).evaluate(X, LABELS, verbose=0), r"y_true: expected the shape \(20, 3\)"),
    (lambda: model_of().compile("sgd", "mse", steps_per_execution=2), "steps_per_execution: expected no such option"),
    (
        lambda: losses.SparseCategoricalCrossentropy(label_smoothing=0.1),
        "label_smoothing: expected no such option of SparseCategoricalCrossentropy",
    ),
    (
        lambda: losses.SparseCategoricalCrossentropy(ignore_class=0),
        "ignore_class: expected no such option of SparseCategoricalCrossentropy",
    ),
    (lambda: model_of(optimizer=3), "optimizer: expected one of sgd, rmsprop, adam"),
    (lambda: optimizers.SGD(learning_rate=lambda: 0.1), "learning_rate: expected a number"),
    (lambda: optimizers.SGD(momentum=1.5), "momentum: expected a finite number at least 0 and at most 1"),
    (lambda: optimizers.Adam(amsgrad=True), "amsgrad: expected no such option of Adam"),
    (lambda: setattr(optimizers.Adam(), "learning_rate", -1), "learning_rate: expected a finite number at least 0"),
    # fit and its kin
    (lambda: model_of().fit(X), "y: expected targets, found None"),
    (lambda: model_of().fit(iter([]), None), "x: expected an array of real numbers, found dtype object"),
    (lambda: model_of().fit(3, 3), "x: expected one row per sample, found a single number"),
    (lambda: model_of().fit(np.ma.masked_array(X, X > 0.5), LABELS), "x: expected an array of which nothing is masked"),
    (lambda: model_of().fit(X[:0], LABELS[:0]), "x: expected at least one row"),
    (lambda: model_of().fit(X, LABELS[:7]), r"y: expected 20 rows, as many as x, found shape \(7,\)"),
    (lambda: model_of().fit(X[:, :5], LABELS), r"x: expected shape \(n, 6\), found shape \(20, 5\)"),
    (lambda: model_of().fit(X, np.eye(3)[LABELS]), r"y: expected labels \(20,\) for sparse_cat.* shape \(20, 3\)"),
    (lambda: model_of().fit(X, LABELS + 1), "y: expected labels 0..2, found 3 at index 2"),
    (lambda: model_of().fit(X, LABELS + 0.5), "y: expected integer class labels"),
    (lambda: model_of().fit(X, np.full(20, np.nan)), "y: expected integer class labels"),
    (
        lambda: model_of(loss="categorical_crossentropy").fit(X, LABELS),
        r"y: expected targets \(20, 3\) for categorical_cross.* \(labels want a sparse loss\), found shape \(20,\)",
    ),
    # Keras repeats a column for every output; it is no label here, either.
    (
        lambda: model_of(None, 2, "mse", []).fit(X, LABELS[:, None] % 2),
        r"y: expected targets \(20, 2\) for mean_squared",
    ),
    (
        lambda: model_of("sigmoid", 3, "binary_crossentropy").fit(X, LABELS[:, None]),
        r"y: expected targets \(20, 3\) for binary_crossentropy, found shape \(20, 1\)",
    ),
    (
        lambda: model_of(loss="categorical_crossentropy").fit(X, LABELS[:, None]),
        r"targets \(20, 3\) for categorical_crossentropy \(labels want a sparse loss\), found shape \(20, 1\)",
    ),
    (lambda: model_of("sigmoid", 1).fit(X, LABELS), "y: expected labels 0..0 for sparse_cat.* of one output, found 1"),
    (lambda: model_of("sigmoid", 1, "binary_crossentropy").fit(X, LABELS), "y: expected targets from 0 to 1, found 2"),
    (lambda: model_of("sigmoid", 3, "binary_crossentropy").fit(X, LABELS), r"y: expected targets \(20, 3\)"),
    (lambda: model_of(None, 2, "mse", []).fit(X, LABELS), r"y: expected targets \(20, 2\) for mean_squared_error"),
    (lambda: model_of().fit(X, LABELS, batch_size=0), "batch_size: expected an integer of at least 1"),
    (lambda: model_of().fit(X, LABELS, epochs=-1), "epochs: expected an integer of at least 0"),
    (lambda: model_of().fit(X, LABELS, verbose=-1), "verbose: expected an integer of at least 0"),
    (
        lambda: model_of().fit(X, LABELS, 8, steps_per_epoch=2),
        "steps_per_epoch: expected None, or the number",
    ),
    (lambda: model_of().fit(X, LABELS, validation_freq=0), "validation_freq: expected an integer of at least 1"),
    (lambda: model_of().evaluate(X, LABELS, steps=0), "steps: expected an integer of at least 1"),
    (lambda: model_of().fit(X, LABELS, verbose="yes"), "verbose: expected one of auto"),
    (lambda: model_of().fit(X, LABELS, shuffle="batch"), "shuffle: expected True or False"),
    (lambda: model_of().fit(X, LABELS, validation_split=1.0), "validation_split: expected a finite number"),
    (lambda: model_of().fit(X, LABELS, validation_split=0.99), "validation_split: expected a share that leaves both"),
    (lambda: model_of().fit(X, LABELS, validation_data=X), "validation_data: expected .x, y. or .x, y, sample_weight."),
    (lambda: model_of().fit(X, LABELS, validation_data=(X[:, :5], LABELS)), r"validation_data\[0\]: expected shape"),
    (lambda: model_of().fit(X, LABELS, validation_data=(X, LABELS + 1)), r"validation_data\[1\]: expected labels"),
    (
        lambda: model_of().fit(X, LABELS, validation_data=(X, LABELS, X)),
        r"validation_data\[2\]: expected shape \(20,\)",
    ),
    (lambda: model_of().fit(X, LABELS, sample_weight=X), r"sample_weight: expected shape \(20,\)"),
    (lambda: model_of().fit(X, LABELS, sample_weight=np.full(20, np.inf)), "sample_weight: expected finite numbers"),
    (lambda: model_of().fit(X, LABELS, class_weight=[1, 2]), "class_weight: expected a dict"),
    (lambda: model_of().fit(X, LABELS, class_weight={"a": 1}), "class_weight's class: expected an integer"),
    (lambda: model_of().fit(X, LABELS, class_weight={1: "a"}), r"class_weight\[1\]: expected a number"),
    (
        lambda: model_of().fit(X, LABELS, class_weight={1: 1}, sample_weight=np.ones(20)),
        "class_weight: expected none beside sample_weight",
    ),
    (lambda: model_of().evaluate(X, LABELS, return_dict=1), "return_dict: expected True or False"),
    (lambda: model_of().predict(X[0]), r"x: expected shape \(n, 6\), found shape \(6,\)"),
    (lambda: model_of().predict(X[:0]), "x: expected at least one row"),
    (lambda: model_of().train_on_batch(X), "y: expected targets, found None"),
    (lambda: keras.utils.set_random_seed(-1), "seed: expected an integer of at least 0"),
    (lambda: keras.utils.set_random_seed(2**32), r"seed: expected an integer below 2\^32"),
    (lambda: keras.utils.to_categorical(["a"]), "x: expected an array of real numbers"),
]


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[message[:40] for _, message in CALLS])
def test_one_clear_error(call, message, capsys):
    with pytest.raises(fastnn.FastnnError, match=message):
        call()
    assert capsys.readouterr().out == ""  # nothing was begun


@pytest.mark.parametrize(("owner", "name"), [(model_of(), "add_loss"), (layers.Dense(2), "lora")])
def test_attributes_that_are_not_here(owner, name):
    with pytest.raises(
        fastnn.FastnnError, match=rf"{type(owner).__name__}\.{name}: no such attribute in fastnn's part"
    ):
        getattr(owner, name)
    assert not hasattr(owner, name)
    with pytest.raises(AttributeError, match="has no attribute '_private'"):
        owner._private  # noqa: B018  # looking it up is the test


def test_a_refused_layer_is_not_added():
    model = models.Sequential([layers.Input((2, 3))])
    with pytest.raises(fastnn.FastnnError, match="a Flatten before it"):
        model.add(layers.Dense(2))
    model.add(layers.Flatten())
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)


def test_a_refused_input_shape_is_not_kept():
    model = models.Sequential([layers.Dense(2)])
    with pytest.raises(fastnn.FastnnError, match="a Flatten before it"):
        model.predict(np.zeros((4, 2, 3)))
    assert model.predict(X, verbose=0).shape == (20, 2)
    model = models.Sequential()
    with pytest.raises(fastnn.FastnnError, match="a Flatten before it"):
        model.add(layers.Dense(2, input_shape=(2, 3)))
    model.add(layers.Dense(2, input_shape=(6,)))
    assert model.predict(X, verbose=0).shape == (20, 2)


def test_options_given_as_keras_has_them_by_default():
    layers.Dense(2, kernel_initializer="glorot_uniform", bias_initializer="zeros", kernel_regularizer=None)
    layers.Flatten(data_format=None)
    optimizers.Adam(amsgrad=False, weight_decay=None, name="adam")
    losses.CategoricalCrossentropy(label_smoothing=0.0, reduction="sum_over_batch_size", axis=-1)
    model_of().compile("SGD", "mse", metrics=None, run_eagerly=True, steps_per_execution=1, jit_compile="auto")
    model_of().fit(X, LABELS, verbose=False, steps_per_epoch=None)
