"""What programs use of keras.backend and keras.config around a model."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import backend as K  # noqa: N812  # as programs call it
from fastnn.dropin.keras import layers


@pytest.fixture
def float32_again():
    yield
    keras.config.set_floatx("float32")


def test_a_new_session_begins_the_names_again():
    K.clear_session()
    names = [layers.Dense(2).name, layers.Dense(2).name]
    assert names == ["dense", "dense_1"]
    K.clear_session()
    assert layers.Dense(2).name == "dense"
    assert keras.Sequential().name == "sequential"


def test_the_float_type_is_that_of_the_configuration(float32_again):
    assert (K.floatx(), K.cast_to_floatx([1, 2]).dtype) == ("float32", np.float32)
    K.set_floatx("float64")
    assert keras.config.floatx() == "float64"
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    assert model.layers[0].kernel.dtype == np.float64


def test_settings_that_there_is_one_of():
    assert (K.epsilon(), K.image_data_format(), K.image_dim_ordering()) == (1e-7, "channels_last", "tf")
    K.set_epsilon(1e-7)
    K.set_image_data_format("channels_last")
    K.set_image_dim_ordering("tf")
    for change in (
        lambda: K.set_epsilon(1e-3),
        lambda: K.set_image_data_format("channels_first"),
        lambda: K.set_image_dim_ordering("th"),
    ):
        with pytest.raises(fastnn.FastnnError, match="found "):
            change()


def test_values_of_weights_are_read_and_set():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    K.set_value(model.weights[0], np.ones((3, 2)))
    assert K.get_value(model.weights[0]).tolist() == [[1, 1]] * 3
    assert K.get_value(0.5) == 0.5
    with pytest.raises(fastnn.FastnnError, match="x: expected a weight of a model, or its optimizer's learning rate"):
        K.set_value(0.5, 0.1)


def test_sessions_have_no_effect():
    K.set_session(K.get_session())
    K.set_learning_phase(1)
    K.manual_variable_initialization(True)
    assert K.learning_phase() == 0
    assert K.backend() == "tensorflow"
    assert K.is_keras_tensor(layers.Dense(2)(keras.Input((3,))))
    assert not K.is_keras_tensor(3)
