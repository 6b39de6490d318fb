"""What fastnn.dropin.nielsen cannot use: each is one FastnnError that names it."""

import numpy as np
import pytest

from fastnn import DivergenceError, FastnnError
from fastnn.dropin import nielsen


class TestErrors:
    @pytest.fixture
    def net(self):
        return nielsen.Network([12, 9, 10])

    @pytest.mark.parametrize(
        ("pair", "match"),
        [
            ((np.zeros(12), np.zeros((10, 1))), r"training_data\[5\].*x of shape \(12, 1\).*\(12,\)"),
            ((np.zeros((11, 1)), np.zeros((10, 1))), r"training_data\[5\].*\(12, 1\).*\(11, 1\)"),
            ((np.zeros((12, 1)), 3), r"training_data\[5\].*y an array of shape \(10, 1\).*int"),
            ((np.zeros((12, 1)), np.int64(3)), r"training_data\[5\].*y an array of shape \(10, 1\).*int64"),
            ((np.zeros((12, 1)), np.zeros((9, 1))), r"training_data\[5\].*y of shape \(10, 1\)"),
            (([0.0] * 12, np.zeros((10, 1))), r"training_data\[5\].*array.*list"),
            ((np.zeros((12, 1)),), r"training_data\[5\].*pair \(x, y\).*1 items"),
            (7, r"training_data\[5\].*pair \(x, y\).*int"),
            ((np.full((12, 1), np.nan), np.zeros((10, 1))), r"training_data\[\d+\].*finite numbers in x"),
            ((np.full((12, 1), np.inf), np.zeros((10, 1))), r"training_data\[\d+\].*finite numbers in x"),
            ((np.zeros((12, 1)), np.full((10, 1), np.nan)), r"training_data\[\d+\].*finite numbers in y"),
            ((np.full((12, 1), "1"), np.zeros((10, 1))), r"training_data.*real numbers"),
            ((np.full((12, 1), None), np.zeros((10, 1))), r"training_data.*real numbers"),
        ],
    )
    def test_unusable_pairs_are_named_and_change_nothing(self, backend, net, small_data, pair, match):
        before = [w.copy() for w in net.weights]
        data = [*small_data[0][:5], pair, *small_data[0][5:20]]
        with pytest.raises(FastnnError, match=match):
            net.SGD(data, 1, 10, 1.0)
        for w, kept in zip(net.weights, before, strict=True):
            np.testing.assert_array_equal(w, kept)

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ({"epochs": 1.5}, "epochs"),
            ({"epochs": -1}, "epochs"),
            ({"mini_batch_size": 0}, "mini_batch_size"),
            ({"eta": None}, "eta.*neither"),
            ({"learning_rate": 1.0}, "eta.*both"),
            ({"eta": "3"}, "eta"),
            ({"eta": float("nan")}, "eta"),
            ({"training_data": []}, "training_data.*at least one pair"),
            ({"training_data": iter([])}, "training_data.*at least one pair"),
            ({"training_data": 5}, "training_data.*list or an iterator"),
            ({"test_data": [(np.zeros((12, 1)), np.zeros((10, 1)))]}, r"test_data\[0\].*label.*\(10, 1\)"),
            ({"test_data": iter([])}, "test_data.*at least one pair.*read only once"),
            ({"test_data": [(np.zeros(12), 1)]}, r"test_data\[0\].*\(12, 1\)"),
            ({"test_data": [(np.zeros((12, 1)), "1")]}, "test_data.*real numbers in every label"),
        ],
    )
    def test_unusable_arguments(self, net, small_data, arguments, match):
        arguments = {"training_data": small_data[0], "epochs": 1, "mini_batch_size": 10, "eta": 1.0} | arguments
        with pytest.raises(FastnnError, match=match):
            net.SGD(**arguments)

    def test_other_methods(self, net):
        with pytest.raises(FastnnError, match=r"a: expected shape \(12, 1\)"):
            net.feedforward(np.zeros(12))
        with pytest.raises(FastnnError, match=r"\(x, y\)\[0\].*\(12, 1\)"):
            net.backprop(np.zeros(12), np.zeros((10, 1)))
        with pytest.raises(FastnnError, match=r"mini_batch.*at least one"):
            net.update_mini_batch([], 1.0)
        with pytest.raises(FastnnError, match="sizes"):
            nielsen.Network([3])
        with pytest.raises(FastnnError, match="dtype"):
            nielsen.Network([3, 2], dtype="int32")

    def test_divergence_keeps_the_last_finite_weights(self, backend, small_data):
        net = nielsen.Network([12, 10])
        net.biases[0][:] = 0
        net.weights[0][:] = 0
        with pytest.raises(DivergenceError, match="epoch 0"):
            net.SGD([(1e200 * x, y) for x, y in small_data[0]], 1, 10, 1e200)
        assert all(np.isfinite(w).all() for w in net.weights)
