"""fastnn.dropin.keras as its users meet it: programs, layers, models, printed lines, data."""

from __future__ import annotations

import copy
import io
import pickle
import random
import sys
from collections import Counter

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import layers, losses, models, optimizers, progress, utils
from fastnn.dropin.keras.datasets import mnist

X = np.random.default_rng(0).random((70, 6), np.float32)
LABELS = (X[:, 0] > X[:, 1]) * 1 + (X[:, 2] > 0.5)


@pytest.fixture(autouse=True)
def _fresh_names(monkeypatch):
    monkeypatch.setattr(keras.layer, "_names", Counter())


def small(**compiling):
    model = models.Sequential([layers.Input((6,)), layers.Dense(5, activation="relu"), layers.Dense(3, "softmax")])
    options = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**options | compiling)
    return model


def same(first, second):
    return all((a == b).all() for a, b in zip(first, second, strict=True))


# The programs that people learn with -------------------------------------------------------------------------------


def test_the_five_line_program(capsys):
    utils.set_random_seed(1)
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    model = models.Sequential(
        [layers.Flatten(input_shape=(28, 28)), layers.Dense(128, "relu"), layers.Dense(10, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train / 255.0, y_train, epochs=5, batch_size=32, validation_split=0.2)
    loss, accuracy = model.evaluate(x_test / 255.0, y_test, verbose=0)
    assert accuracy >= 0.97
    assert loss < 0.1
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history.epoch == [0, 1, 2, 3, 4]
    assert history.params == {"verbose": "auto", "epochs": 5, "steps": 1500}
    assert model.history is history
    lines = capsys.readouterr().out.splitlines()
    assert lines[::2] == [f"Epoch {epoch}/5" for epoch in range(1, 6)]
    assert all(line.startswith("1500/1500 ━━━━━━━━━━━━━━━━━━━━ ") for line in lines[1::2])
    assert lines[1].endswith(
        " - val_accuracy: {:.4f} - val_loss: {:.4f}".format(*(v[0] for v in list(history.history.values())[2:]))
    )


def test_tensorflows_quickstart_for_beginners(capsys):
    utils.set_random_seed(1)
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    x_train, x_test = x_train[:4000] / 255.0, x_test[:500] / 255.0
    model = models.Sequential(
        [layers.Flatten(input_shape=(28, 28)), layers.Dense(128, "relu"), layers.Dropout(0.2), layers.Dense(10)]
    )
    assert model.predict(x_train[:1], verbose=0).shape == (1, 10)
    loss_fn = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss_fn, metrics=["accuracy"])
    model.fit(x_train, y_train[:4000], epochs=3)
    assert model.evaluate(x_test, y_test[:500], verbose=2)[1] > 0.85
    assert capsys.readouterr().out.splitlines()[-1].startswith("16/16 - 0s - ")


@pytest.mark.quick
def test_chollets_first_look_at_a_network():
    (train_images, train_labels), _ = mnist.load_data()
    train_images = train_images.reshape((60000, 28 * 28)).astype("float32") / 255
    model = keras.Sequential([layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")])
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        train_images[:512], utils.to_categorical(train_labels[:512]), epochs=5, batch_size=128, verbose=0
    )
    assert history.history["accuracy"][-1] > 0.8


def test_a_line_through_points():
    xs, ys = np.array([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0], dtype=float), np.array([-3.0, -1.0, 1.0, 3.0, 5.0, 7.0])
    model = keras.Sequential([layers.Dense(units=1, input_shape=[1])])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    history = model.fit(xs, ys, epochs=500, verbose=0)
    assert list(history.history) == ["loss"]
    assert model.predict(np.array([10.0]), verbose=0)[0, 0] == pytest.approx(19, abs=0.1)
    assert isinstance(model.evaluate(xs, ys, verbose=0), float)


def test_exclusive_or_as_older_programs_write_it():
    utils.set_random_seed(2)
    model = models.Sequential()
    model.add(layers.Dense(8, input_dim=2, activation="tanh"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer=optimizers.Adam(0.05), metrics=["accuracy"])
    inputs, targets = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32"), np.array([[0], [1], [1], [0]], "float32")
    model.fit(inputs, targets, epochs=300, verbose=0)
    assert model.evaluate(inputs, targets, verbose=0)[1] == 1.0
    assert model.predict(inputs, verbose=0).round().tolist() == targets.tolist()


# Layers and models -------------------------------------------------------------------------------------------------


def test_a_model_is_built_when_its_input_shape_is_known():
    model = models.Sequential([layers.Flatten(), layers.Dense(4), layers.Dense(2)])
    assert not model.built
    assert model.get_weights() == []
    with pytest.raises(fastnn.FastnnError, match=r"dense\.kernel: expected a model whose input shape is known"):
        _ = model.layers[1].kernel
    with pytest.raises(fastnn.FastnnError, match="input_shape: expected a model whose input shape is known"):
        _ = model.input_shape
    assert model.predict(np.zeros((3, 2, 5)), verbose=0).shape == (3, 2)
    assert model.built
    assert (model.input_shape, model.output_shape) == ((None, 2, 5), (None, 2))
    assert [w.shape for w in model.weights] == [(10, 4), (4,), (4, 2), (2,)]
    assert [layer.count_params() for layer in model.layers] == [0, 44, 10]
    assert model.count_params() == 54
    model = models.Sequential([layers.Dense(4, use_bias=False)])
    model.build((None, 7))
    assert model.layers[0].kernel.shape == (7, 4)
    assert model.layers[0].bias is None


def test_a_model_is_built_before_its_first_dense_layer():
    model = models.Sequential([layers.Input((4, 4))])
    assert not model.built
    model.add(layers.Flatten())
    assert model.built
    assert model.output_shape == (None, 16)
    lines = []
    model.summary(print_fn=lines.append)
    assert "(None, 16)" in lines[0]
    assert "unbuilt" not in lines[0]


def test_layers_by_name_and_index():
    model = small()
    assert model.get_layer("dense_1") is model.get_layer(index=-1) is model.layers[1]
    for names in ({}, {"name": "dense", "index": 0}):
        with pytest.raises(fastnn.FastnnError, match="name: expected a layer's name, or an index"):
            model.get_layer(**names)
    with pytest.raises(fastnn.FastnnError, match="name: expected one of dense, dense_1, found 'dense_2'"):
        model.get_layer("dense_2")
    for index in (2, -3):
        with pytest.raises(fastnn.FastnnError, match="index: expected"):
            model.get_layer(index=index)


def test_the_list_of_layers_is_the_callers():
    model = small()
    model.layers.pop()
    assert len(model.layers) == 2
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize("shape", [(4, 3, 1), (4, 3)])
def test_a_last_axis_of_one_may_be_there_or_not(shape):
    model = models.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(2)])
    x = np.random.default_rng(0).random((5, 4, 3))
    assert (model.predict_on_batch(x) == model.predict(x[..., None], verbose=0)).all()
    with pytest.raises(fastnn.FastnnError, match="x: expected shape"):
        model.predict(x[..., None, None] if len(shape) == 2 else x[..., :2])


def test_classes_may_be_floats():
    weights = []
    for classes in ([0, 1, 2], np.unique(LABELS.astype(np.float32))):
        utils.set_random_seed(3)
        model = small()
        model.fit(X, LABELS, class_weight=dict(zip(classes, [2.0, 0.5, 1.5], strict=True)), verbose=0)
        weights.append(model.get_weights())
    assert same(*weights)


def test_weights_start_glorot_uniform_drawn_layer_by_layer():
    utils.set_random_seed(8)
    kernels = small().get_weights()[::2]
    rng = np.random.default_rng(8)
    for kernel, (fan_in, fan_out) in zip(kernels, [(6, 5), (5, 3)], strict=True):
        limit = np.sqrt(6 / (fan_in + fan_out))
        assert (kernel == rng.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32)).all()
    utils.set_random_seed(8)
    model = models.Sequential()
    for layer in (layers.Input((6,)), layers.Dense(5), layers.Dense(3)):
        model.add(layer)
    assert same(model.get_weights()[::2], kernels)
    assert not np.any(model.layers[0].bias)


def test_layers_added_later_leave_weights_as_they_are():
    model = small()
    model.fit(X, LABELS, verbose=0)
    before = model.get_weights()
    model.add(layers.Dropout(0.1))
    assert same(model.get_weights(), before)
    with pytest.raises(fastnn.FastnnError, match="dense_1: expected softmax only in the last Dense layer"):
        model.add(layers.Dense(2))
    assert len(model.layers) == 3
    with pytest.raises(fastnn.FastnnError, match="layers: expected no Dropout after the last Dense layer"):
        model.fit(X, LABELS, verbose=0)
    assert model.predict(X, verbose=0).shape == (70, 3)


def test_an_optimizer_serves_one_set_of_layers():
    model, other = small(), small()
    model.fit(X, LABELS, verbose=0)
    other.compile(model.optimizer, "sparse_categorical_crossentropy")
    with pytest.raises(fastnn.FastnnError, match="optimizer: expected a new one for other layers"):
        other.fit(X, LABELS, verbose=0)
    other.compile("adam", "sparse_categorical_crossentropy")
    other.fit(X, LABELS, verbose=0)
    assert other.optimizer.iterations == 3


def test_names_are_made_up_as_keras_does():
    model = models.Sequential([layers.Input((3,)), layers.Dense(2), layers.Dropout(0.5), layers.Dense(2, name="mine")])
    assert [layer.name for layer in model.layers] == ["dense", "dropout", "mine"]
    assert [model.name, models.Sequential().name, layers.Dense(1).name] == ["sequential", "sequential_1", "dense_1"]
    assert layers.InputLayer((3,)).name == "input_layer_1"
    assert repr(model.layers) == (
        "[<Dense name=dense, built=True>, <Dropout name=dropout, built=True>, <Dense name=mine, built=True>]"
    )
    assert repr(model) == "<Sequential name=sequential, built=True>"


def test_weights_are_views_and_get_weights_copies():
    model = small()
    model.layers[0].kernel[:] = 0.5
    model.weights[1][:] = -0.25
    assert (model.get_weights()[0] == 0.5).all()
    assert (model.layers[0].get_weights()[1] == -0.25).all()
    model.get_weights()[0][:] = 7
    assert (model.layers[0].kernel == 0.5).all()
    fresh = [np.full(w.shape, i) for i, w in enumerate(model.weights)]
    model.set_weights(fresh)
    model.layers[1].set_weights(fresh[2:])
    assert same(model.get_weights(), fresh)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_train_by_themselves(again):
    model = small()
    model.fit(X, LABELS, verbose=0)
    before, other = model.get_weights(), again(model)
    assert same(other.get_weights(), before)
    for one in (other, model):
        utils.set_random_seed(4)
        one.fit(X, LABELS, epochs=2, verbose=0)
        if one is other:
            assert same(model.get_weights(), before)
    assert same(model.get_weights(), other.get_weights())
    assert other.optimizer.iterations == model.optimizer.iterations == 9
    other.layers[0].kernel[:] = 1
    assert (other.get_weights()[0] == 1).all()


def test_the_learning_rate_may_be_changed():
    model = small(optimizer=optimizers.SGD(learning_rate=0.5))
    model.optimizer.learning_rate = 0.0
    before = model.get_weights()
    model.fit(X, LABELS, verbose=0)
    assert same(model.get_weights(), before)


def test_the_epochs_that_are_already_done():
    model, history = small(), None
    history = model.fit(X, LABELS, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4]
    assert model.optimizer.iterations == 6
    history = model.fit(X, LABELS, epochs=2, initial_epoch=2, verbose=0)
    assert (history.epoch, history.history) == ([], {})


def test_held_out_rows_are_the_last():
    model = small()
    history = model.fit(X, LABELS, validation_split=0.25, verbose=0, batch_size=1000)
    first = int(70 * 0.75)
    assert history.params["steps"] == 1
    found = model.evaluate(X[first:], LABELS[first:], verbose=0, return_dict=True)
    assert found == {name[4:]: figures[0] for name, figures in history.history.items() if name.startswith("val_")}


def test_what_fit_says_when_it_diverges():
    utils.set_random_seed(0)  # by others all units of the first layer may be dead
    model = small(optimizer=optimizers.SGD(1e30), metrics=None)
    with pytest.raises(fastnn.DivergenceError, match="epoch 1: training diverged after 1 of 3 batches"):
        model.fit(X, LABELS, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_nan_is_named_with_its_place(monkeypatch):
    bad = X.copy()
    bad[33, 2] = np.nan
    listener = keras.callbacks.Callback()
    listener.on_train_batch_end = listener.on_test_batch_end = lambda batch, logs: None
    monkeypatch.setattr(keras.hooks, "_warned", {"batches"})
    for callback in (None, listener):
        with pytest.raises(fastnn.FastnnError, match=r"x: expected finite numbers, found nan at index \(33, 2\)"):
            small().fit(bad, LABELS, verbose=0, callbacks=callback)
        with pytest.raises(fastnn.FastnnError, match=r"x: expected finite numbers, found nan at index \(33, 2\)"):
            small().evaluate(bad, LABELS, verbose=0, callbacks=callback)
        with pytest.raises(fastnn.FastnnError, match=r"validation_data\[0\]: .* found nan at index \(33, 2\)"):
            small().fit(X, LABELS, verbose=0, validation_data=(bad, LABELS), callbacks=callback)
    with pytest.raises(fastnn.FastnnError, match=r"x: expected finite numbers, found nan at index \(33, 2\)"):
        small().predict(bad, verbose=0)


# What is printed ---------------------------------------------------------------------------------------------------


def test_the_table_of_layers(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    model = models.Sequential(
        [layers.Input((28, 28)), layers.Flatten(), layers.Dense(128, "relu"), layers.Dropout(0.2), layers.Dense(10)]
    )
    model.summary()
    expected = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ flatten (Flatten)               │ (None, 784)            │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense (Dense)                   │ (None, 128)            │       100,480 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dropout (Dropout)               │ (None, 128)            │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 10)             │         1,290 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 101,770 (397.54 KB)
 Trainable params: 101,770 (397.54 KB)
 Non-trainable params: 0 (0.00 B)
"""
    assert capsys.readouterr().out == expected
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(np.zeros((2, 28, 28)), np.zeros(2, int))
    lines = []
    model.summary(print_fn=lines.append)
    total = expected.replace("Total params: 101,770 (397.54 KB)", "Total params: 305,312 (1.16 MB)")
    assert lines == [total + " Optimizer params: 203,542 (795.09 KB)"]


def test_the_table_of_an_unbuilt_model_with_long_names(capsys):
    long = layers.Dense(3, name="a_name_that_is_too_long_for_the_column and some words")
    models.Sequential([layers.Flatten(), long], name="net").summary(line_length=50)
    assert (
        capsys.readouterr().out
        == """\
Model: "net"
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━┓
┃ Layer (type)        ┃ Output Shape   ┃ Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━━━┩
│ flatten (Flatten)   │ ?              │       0 │
│                     │                │ (unbui… │
├─────────────────────┼────────────────┼─────────┤
│ a_name_that_is_too… │ ?              │       0 │
│ and some words      │                │ (unbui… │
│ (Dense)             │                │         │
└─────────────────────┴────────────────┴─────────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)
"""
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_moves_on_a_terminal(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    monkeypatch.setattr(sys, "stdout", Terminal())
    with fastnn.use("numpy"):  # ticks after every batch
        small().fit(X, LABELS, batch_size=7, epochs=1)
    printed = sys.stdout.getvalue()
    states = printed.split("\r")[1:]
    assert [state.split(" ")[0] for state in states] == [
        f"\033[1m{i:2}/10\033[0m".split(" ")[0] for i in range(1, 11)
    ] + ["\033[1m10/10\033[0m"]
    assert f"\033[32m{'━' * 8}\033[0m\033[37m{'━' * 12}\033[0m \033[1m0s\033[0m " in states[3]
    assert states[-1].rstrip(" \n").endswith(tuple("0123456789"))
    assert " - accuracy: 0." in states[-1]
    assert " - loss: 1." in states[-1]
    assert printed.endswith("\n")


def test_without_unicode(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    small().fit(X, LABELS, batch_size=7)
    assert raw.getvalue().startswith(b"10/10 ==================== 0s ")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (61, "1:01"), (3599.9, "59:59"), (3725, "1:02:05")]
)
def test_the_time_left(seconds, text):
    assert progress._clock(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5000"), (0.001, "1.0000e-03"), (-2, "-2.0000"), (1e-9, "1.0000e-09")]
)
def test_figures_are_printed_as_keras_prints_them(value, text):
    assert progress._figure(value) == text


# Data, utils and the rest ------------------------------------------------------------------------------------------


def test_mnist():
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    assert (x_train.shape, y_train.shape, x_train.dtype, y_train.dtype) == ((60000, 28, 28), (60000,), "uint8", "uint8")
    assert (x_test.shape, y_test.shape) == ((10000, 28, 28), (10000,))
    assert (x_train.reshape(60000, 784) == fastnn.datasets.load_mnist()[0][0]).all()
    assert keras.datasets.mnist is mnist


def test_one_hot_rows():
    assert utils.to_categorical([1, 0, 2]).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert utils.to_categorical(np.array([[1], [0]]), num_classes=3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert utils.to_categorical(np.array([[1, 0]], np.uint8), 2).shape == (1, 2, 2)
    assert utils.to_categorical([0, 1]).dtype == np.float64
    for wrong, classes in (([-1, 0], None), ([0.5], None), ([3], 3)):
        with pytest.raises(fastnn.FastnnError, match="x: expected integers from 0 to"):
            utils.to_categorical(wrong, classes)
    with pytest.raises(fastnn.FastnnError, match="x: expected at least one row"):
        utils.to_categorical([])


def test_the_seed_is_that_of_every_stream():
    drawn = []
    for _ in range(2):
        utils.set_random_seed(12)
        drawn.append((random.random(), np.random.random(), small().get_weights()[0].tolist()))
    assert drawn[0] == drawn[1]
    assert drawn[0][:2] == (random.Random(12).random(), np.random.RandomState(12).random_sample())


def test_floats_of_new_models():
    assert keras.config.floatx() == "float32"
    keras.config.set_floatx("float64")
    try:
        model = small()
    finally:
        keras.config.set_floatx("float32")
    model.add(layers.Dropout(0.5))  # what is built remains of its type
    assert model.predict(X, verbose=0).dtype == np.float64
    with pytest.raises(fastnn.FastnnError, match="dtype: expected 'float32' or 'float64'"):
        keras.config.set_floatx("float16")


def test_importing_it_is_light(run_python):
    program = "import sys, fastnn.dropin.keras, fastnn.dropin as tf; tf.keras.layers.Dense; print(*sys.modules)"
    loaded = set(run_python(program).stdout.split())
    assert "fastnn.dropin.keras.models" in loaded
    assert not loaded & {"numba", "matplotlib", "sklearn", "scipy", "fastnn.kernels.native", "fastnn.nn.mlp"}
