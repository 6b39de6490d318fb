"""Parameters: views of one aligned vector, and copies that are their own."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from fastnn.dropin.layers import FullyConnectedLayer, sigmoid
from fastnn.dropin.rashid import neuralNetwork
from fastnn.kernels.params import ALIGNMENT, Parameters, aligned_copy, aligned_empty, aligned_zeros
from fastnn.nn.mlp import MLP

REALS = [np.dtype(np.float32), np.dtype(np.float64)]
DUPLICATES = [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))]

each_dtype = pytest.mark.parametrize("dtype", REALS, ids=str)
each_duplicate = pytest.mark.parametrize("duplicate", DUPLICATES, ids=["copy", "deepcopy", "pickle"])


def is_aligned(array: np.ndarray) -> bool:
    return array.ctypes.data % ALIGNMENT == 0


def numbered(dtype: np.dtype, bias: bool = True) -> Parameters:
    """A network 3-5-2, every weight and bias another number, in a vector that lies beside its boundary."""
    found = Parameters.zeros([3, 5, 2], ["relu", "softmax"], "cross_entropy", bias, dtype)
    start = 1
    for view in found.weights + found.biases:
        view[...] = np.arange(start, start + view.size).reshape(view.shape)
        start += view.size
    beside = aligned_empty(found.vector.size + 1, dtype)[1:]
    beside[:] = found.vector
    assert not is_aligned(beside)
    return Parameters(found.net, beside)


@each_dtype
@pytest.mark.parametrize("bias", [True, False])
def test_views_are_writable_and_of_the_vector(dtype, bias):
    parameters = Parameters.zeros([3, 5, 2], ["relu", "softmax"], "cross_entropy", bias, dtype)
    assert is_aligned(parameters.vector)
    assert not parameters.vector.any()
    assert [w.shape for w in parameters.weights] == [(3, 5), (5, 2)]
    assert [b.shape for b in parameters.biases] == [(5,), (2,)] * bias
    for index, weights in enumerate(parameters.weights):
        assert [part.shape for part in parameters.layer(index)] == [weights.shape, *[weights.shape[1:]] * bias]
    views = parameters.weights + parameters.biases
    for view in views:
        assert is_aligned(view)
        view += 1
    assert parameters.vector.sum() == sum(view.size for view in views)  # they do not overlap, and leave the padding
    parameters.vector[:] = 7
    assert all((view == 7).all() for view in parameters.weights + parameters.biases)


@each_dtype
@each_duplicate
def test_a_copy_is_equal_aligned_and_its_own(duplicate, dtype):
    parameters = numbered(dtype)
    before = parameters.vector.copy()
    twin = duplicate(parameters)
    assert is_aligned(twin.vector)
    assert all(map(np.array_equal, twin.net, parameters.net))
    assert twin.vector.tobytes() == before.tobytes()
    for view in twin.weights + twin.biases:
        assert np.shares_memory(view, twin.vector)
        view[...] = 0
    assert not twin.vector.any()
    assert parameters.vector.tobytes() == before.tobytes()


@pytest.mark.parametrize("duplicate", DUPLICATES[1:], ids=["deepcopy", "pickle"])
def test_who_share_parameters_share_those_of_the_copy(duplicate):
    parameters = numbered(REALS[0])
    first, second = duplicate([parameters, parameters])
    assert first is second
    assert first is not parameters


def make_mlp() -> MLP:
    return MLP([3, 5, 2], dtype="float32", seed=0)


def make_layer() -> FullyConnectedLayer:
    return FullyConnectedLayer(3, 5, sigmoid, dtype="float32")


def make_rashid() -> neuralNetwork:
    return neuralNetwork(3, 5, 2, 0.1, dtype="float32")


@each_duplicate
@pytest.mark.parametrize("make", [make_mlp, make_layer, make_rashid])
def test_a_copy_of_their_owner_has_its_own(make, duplicate):
    model = make()
    twin = duplicate(model)
    assert type(twin) is type(model)
    ours, theirs = model._parameters, twin._parameters
    assert is_aligned(theirs.vector)
    assert theirs.vector.tobytes() == ours.vector.tobytes()
    before = ours.vector.copy()
    theirs.vector[:] = 0
    assert ours.vector.tobytes() == before.tobytes()


def test_a_shallow_copy_lends_weights_of_its_own():
    model = make_rashid()
    lent = model.wih
    twin = copy.copy(model)
    twin.wih[...] = 0
    assert lent.all()
    assert not twin.wih.any()


@each_dtype
def test_what_is_made_aligned_is(dtype):
    for shape in [1, 5, 64, (3, 7)]:
        zeros = aligned_zeros(shape, dtype)
        assert (zeros.dtype, zeros.shape) == (dtype, np.zeros(shape).shape)
        assert is_aligned(zeros)
        assert not zeros.any()
        assert is_aligned(aligned_empty(shape, dtype))
        copied = aligned_copy(zeros + 3)
        assert is_aligned(copied)
        assert (copied == 3).all()
