"""fastnn.dropin.tensorflow: tf.keras under its names, arrays, and settings that have no effect."""

from __future__ import annotations

import importlib
import logging
import sys
from operator import attrgetter

import numpy as np
import pytest

import fastnn.dropin.tensorflow as tf
from fastnn.dropin import keras
from fastnn.dropin.keras.modules import KERAS
from fastnn.dropin.keras.subset import StandIn, UnsupportedError
from fastnn.dropin.tensorflow.names import TENSORFLOW

TF = tf.__name__


def test_imports_of_keras(run_python):
    program = """
from fastnn.dropin.tensorflow.keras.layers import Dense
from fastnn.dropin.tensorflow import keras
import fastnn.dropin.tensorflow.keras as keras2, fastnn.dropin.tensorflow.keras.layers.core
from fastnn.dropin.tensorflow.python.keras.layers import Dense as Dense2
from fastnn.dropin.tensorflow.python.keras.utils.np_utils import to_categorical
from fastnn.dropin.tensorflow.contrib.keras import models
from fastnn.dropin.tensorflow.keras.wrappers.scikit_learn import KerasClassifier
from fastnn.dropin.tensorflow.keras.applications.vgg16 import VGG16
import fastnn.dropin.tensorflow as tf
assert keras is keras2 is tf.keras
assert Dense is Dense2 is tf.keras.layers.Dense
assert models.Sequential is tf.keras.Sequential
print(Dense.__module__, VGG16)
"""
    child = run_python(program)
    expected = "fastnn.dropin.keras.layers <keras.applications.vgg16.VGG16: not in fastnn's part of Keras>\n"
    assert child.stdout == expected, child.stderr


def test_every_module_of_keras_is_tensorflows_too():
    for name in [name for name in sys.modules if name.startswith(KERAS)]:
        assert importlib.import_module(f"{TF}.keras{name.removeprefix(KERAS)}") is sys.modules[name]


@pytest.mark.quick
@pytest.mark.parametrize("module", sorted(TENSORFLOW))
def test_every_name_can_be_imported(module):
    full = f"{TF}.{module}".rstrip(".")
    for name in TENSORFLOW[module].split():
        exec(f"from {full} import {name}")
    there = attrgetter(module)(tf) if module else tf
    assert not hasattr(there, "Quatsch")


@pytest.mark.parametrize(
    ("use", "feature"),
    [
        (lambda: tf.data.Dataset.from_tensor_slices([1]), r"tf\.data\.Dataset\.from_tensor_slices"),
        (lambda: tf.GradientTape(), r"tf\.GradientTape"),
        (lambda: tf.Variable(1.0), r"tf\.Variable"),
        (lambda: tf.nn.conv2d(1), r"tf\.nn\.conv2d"),
        (lambda: tf.compat.v1.placeholder("float"), r"tf\.compat\.v1\.placeholder"),
        (lambda: tf.contrib.slim.conv2d(1), r"tf\.contrib\.slim\.conv2d"),
        (lambda: tf.Session().run([1]), r"tf\.Session\.run"),
    ],
)
def test_what_is_not_here_raises_when_it_is_used(use, feature):
    with pytest.raises(UnsupportedError, match=rf"test_tensorflow\.py:\d+: {feature} is not in fastnn's part of T"):
        use()


def test_versions():
    assert (tf.__version__, tf.version.VERSION, tf.keras.__version__) == ("2.21.0", "2.21.0", "3.15.1")


def test_modules_of_tensorflow_that_are_keras():
    assert (tf.losses, tf.metrics, tf.optimizers) == (keras.losses, keras.metrics, keras.optimizers)
    assert tf.initializers is keras.initializers


@pytest.mark.parametrize("name", ["elu", "gelu", "relu", "selu", "sigmoid", "softmax", "softplus", "swish", "tanh"])
def test_activations_are_those_of_keras(name):
    assert getattr(tf.nn, name) is getattr(keras.activations, name)
    keras.layers.Dense(3, activation=getattr(tf.nn, name))


def test_activations_of_arrays():
    assert tf.nn.relu([-1.0, 2.0]).numpy().tolist() == [0, 2]
    assert tf.nn.softmax(np.zeros((1, 4), np.float32)).numpy().tolist() == [[0.25] * 4]
    assert tf.sigmoid([0.0]).numpy().tolist() == tf.math.sigmoid([0.0]).numpy().tolist() == [0.5]


@pytest.mark.parametrize(
    ("result", "expected", "dtype"),
    [
        (tf.constant([1.0, 2]), [1, 2], "float32"),
        (tf.constant([1, 2]), [1, 2], "int32"),
        (tf.constant(np.array([1.0])), [1], "float64"),
        (tf.constant(5, shape=(2,)), [5, 5], "int32"),
        (tf.constant([1, 2, 3, 4], tf.float32, (2, 2)), [[1, 2], [3, 4]], "float32"),
        (tf.constant([True]), [True], "bool"),
        (tf.convert_to_tensor(np.ones((1, 2), np.uint8)), [[1, 1]], "uint8"),
        (tf.cast([1.7, -1.7], tf.int32), [1, -1], "int32"),
        (tf.cast([True, False], "float32"), [1, 0], "float32"),
        (tf.reduce_mean([[1.0, 3.0], [5.0, 7.0]]), 4, "float32"),
        (tf.reduce_mean([[1.0, 3.0], [5.0, 7.0]], axis=0), [3, 5], "float32"),
        (tf.reduce_sum([[1, 2], [3, 4]], axis=[0, 1], keepdims=True), [[10]], "int32"),
        (tf.reduce_any([False, True]), True, "bool"),
        (tf.argmax([[1, 5, 2], [4, 0, 3]]), [1, 0, 1], "int64"),
        (tf.argmax([[1, 5, 2], [4, 0, 3]], axis=1), [1, 0], "int64"),
        (tf.argmin([3, 1, 2], output_type=tf.int32), 1, "int32"),
        (tf.zeros((1, 2)), [[0, 0]], "float32"),
        (tf.ones(2, tf.int32), [1, 1], "int32"),
        (tf.fill([2], 7), [7, 7], "int32"),
        (tf.eye(2), [[1, 0], [0, 1]], "float32"),
        (tf.range(3), [0, 1, 2], "int32"),
        (tf.range(1.0, 2.0, 0.5), [1, 1.5], "float32"),
        (tf.linspace(0.0, 1.0, 3), [0, 0.5, 1], "float32"),
        (tf.one_hot([1, 3], 3), [[0, 1, 0], [0, 0, 0]], "float32"),
        (tf.shape(np.zeros((2, 3))), [2, 3], "int32"),
        (tf.size([1, 2]), 2, "int32"),
        (tf.rank([[1]]), 2, "int32"),
        (tf.reshape([1, 2, 3, 4], [-1, 2]), [[1, 2], [3, 4]], "int32"),
        (tf.transpose([[1, 2]]), [[1], [2]], "int32"),
        (tf.expand_dims([1.0], -1), [[1]], "float32"),
        (tf.squeeze([[1.0]]), 1, "float32"),
        (tf.concat([[1], [2]], axis=0), [1, 2], "int32"),
        (tf.stack([[1], [2]]), [[1], [2]], "int32"),
        (tf.tile([1], [2]), [1, 1], "int32"),
        (tf.where([True, False], 1.0, 2.0), [1, 2], "float32"),
        (tf.where([False, True]), [[1]], "int64"),
        (tf.gather([5, 6, 7], [2, 0]), [7, 5], "int32"),
        (tf.clip_by_value([-1.0, 3.0], 0, 1), [0, 1], "float32"),
        (tf.matmul([[1.0, 2.0]], [[1.0, 2.0]], transpose_b=True), [[5]], "float32"),
        (tf.square(3.0), 9, "float32"),
        (tf.math.abs([-1]), [1], "int32"),
        (tf.add(1, 2), 3, "int32"),
        (tf.equal([1, 2], [1, 3]), [True, False], "bool"),
        (tf.cumsum([1, 2]), [1, 3], "int32"),
    ],
)
def test_functions_of_arrays(result, expected, dtype):
    assert tf.is_tensor(result)
    assert isinstance(result, tf.Tensor)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result.numpy(), expected)


def test_random_numbers_begin_with_the_seed():
    def drawn():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        return [model.get_weights()[0].tolist(), tf.random.normal((2, 2)).numpy().tolist()]

    for set_seed in (tf.random.set_seed, tf.set_random_seed, tf.compat.v1.set_random_seed):
        set_seed(3)
        first = drawn()
        set_seed(3)
        assert drawn() == first
    assert tf.random.uniform([100], 2, 5, tf.int32).numpy().max() == 4
    assert tf.random.uniform([100]).numpy().max() < 1
    assert sorted(tf.random.shuffle([1, 2, 3]).numpy()) == [1, 2, 3]
    assert tf.random.normal([2], seed=1).numpy().tolist() == tf.random.normal([2], seed=1).numpy().tolist()


def test_settings_have_no_effect():
    assert tf.config.list_physical_devices("GPU") == tf.config.experimental.list_physical_devices("GPU") == []
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.set_memory_growth("GPU:0", True)
    tf.config.run_functions_eagerly(True)
    assert tf.executing_eagerly() is True
    assert not tf.test.is_gpu_available()
    assert tf.get_logger() is logging.getLogger("tensorflow")
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.autograph.set_verbosity(0)
    with tf.device("/cpu:0"), tf.Graph().as_default():
        pass


def test_sessions_as_programs_set_them_up_for_repeatable_runs():
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1)
    config.gpu_options.allow_growth = True
    assert config.gpu_options.allow_growth is True
    session = tf.compat.v1.Session(graph=tf.compat.v1.get_default_graph(), config=config)
    keras.backend.set_session(session)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
    from fastnn.dropin.tensorflow.compat.v1 import InteractiveSession

    InteractiveSession(config=config).close()


def test_the_optimizers_of_tensorflow_1():
    assert tf.train.AdamOptimizer(0.01).get_config()["epsilon"] == 1e-8
    assert tf.train.GradientDescentOptimizer(0.1).get_config()["learning_rate"] == 0.1
    assert tf.train.MomentumOptimizer(0.1, 0.9).get_config()["momentum"] == 0.9
    assert isinstance(tf.train.AdagradOptimizer, StandIn)
