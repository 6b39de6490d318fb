"""The arrays that stand for tensors: what programs do with them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from fastnn.dropin.keras.tensor import Tensor, tensor

T = tensor(np.arange(6, dtype=np.float32).reshape(2, 3))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (T, [[0, 1, 2], [3, 4, 5]]),
        (T[0], [0, 1, 2]),
        (T[1, 2], 5),
        (T.sum(), 15),
        (np.mean(T), 2.5),
        (T.mean(axis=1), [1, 4]),
        (1 - T[0], [1, 0, -1]),
        (T @ T.T, [[5, 14], [14, 50]]),
        (T == 1, [[False, True, False], [False, False, False]]),
        (next(iter(T[0])), 0),
    ],
)
def test_results_are_tensors_too(result, expected):
    assert isinstance(result, Tensor)
    assert type(result.numpy()) in (np.ndarray, np.float32)
    np.testing.assert_array_equal(result.numpy(), expected)


def test_a_single_number_is_one():
    assert float(T[0, 1]) == 1.0
    assert f"{T[0, 1]:.2f}" == "1.00"
    assert bool(T[0, 1] == 1)


def test_tensors_print_as_tensorflows():
    assert str(T[0, 1]) == "tf.Tensor(1.0, shape=(), dtype=float32)"
    assert str(T[0]) == "tf.Tensor([0. 1. 2.], shape=(3,), dtype=float32)"
    assert str(T) == "tf.Tensor(\n[[0. 1. 2.]\n [3. 4. 5.]], shape=(2, 3), dtype=float32)"
    assert repr(T[0]) == "<tf.Tensor: shape=(3,), dtype=float32, numpy=array([0., 1., 2.], dtype=float32)>"
    assert repr(T[0, 2]) == "<tf.Tensor: shape=(), dtype=float32, numpy=2.0>"


def test_memory_is_shared_and_pickles_load():
    array = np.zeros(2)
    assert np.shares_memory(tensor(array).numpy(), array)
    again = pickle.loads(pickle.dumps(T))
    assert isinstance(again, Tensor)
    assert (again == T).all()
